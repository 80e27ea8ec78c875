"""Faults of routes that answer with several calls: what the calls name, their order, and which routes take them."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from strangler_gateway.config.aggregate_model import AggregateEntry, CallEntry
from strangler_gateway.config.checks.written import Found, WrittenFile, WrittenRoute
from strangler_gateway.config.compile_aggregate import call_names, list_place
from strangler_gateway.config.faults import Place
from strangler_gateway.table.call_target import match_call
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.table.rules.aggregate import (
    EACH,
    IDENTITY,
    MARKS,
    VALUES,
    Reference,
    json_pieces,
    parse_references,
)
from strangler_gateway.table.template import quoted

_SAFE = ({"GET"}, {"GET", "HEAD"})
_SUBJECT = ("subject",)


def aggregate_faults(file: WrittenFile) -> Found:
    """Every breach of a rule about `aggregate:` that the route alone shows."""
    for route in file.routes:
        if "aggregate" in route.fields:
            for place, message in (*_route(route), *_calls(route)):
                yield (*route.place, *place), message


def unmatched_calls(table: RouteTable) -> Iterator[tuple[Place, str]]:
    """Calls that no route takes, or one that answers itself: a call ends at the monolith or at a service."""
    matcher = Matcher(table)
    for at, route in enumerate(table.routes):
        for call in route.aggregate.calls if route.aggregate else ():
            taker = match_call(matcher, call)
            place = ("routes", at, "aggregate", "calls", call.name, "path")
            if taker.undeclared:
                yield place, "no route takes GET of this path; declare it, so that its calls are decided and counted"
            elif taker.aggregate or taker.publish:
                yield place, f"the route {quoted(taker.id)} takes it, which is no call to the monolith or a service"


def _route(route: WrittenRoute) -> Found:
    for end in ("extracted", "publish"):
        if end in route.fields:
            yield ("aggregate",), f"a route has one new end, and this one has `{end}:` as well; remove one of the two"
    if set(route.methods or ()) not in _SAFE:
        seen = ", ".join(route.methods) if route.methods else "none are named"
        yield ("match", "methods"), f"several calls are an answer to a question: wanted methods: [GET], seen {seen}"
    if "shadow" in route.fields:
        yield ("shadow",), "an answer of several calls is not compared; the routes of its calls are. Remove the rules"
    if route.text("rewrite", "extracted") is not None:
        yield ("rewrite", "extracted"), "several calls have several paths; remove it"
    auth = route.fields.get("auth")
    rules = auth if isinstance(auth, dict) else {}
    if rules.get("require", "open") != "open" and rules.get("enforce") != "gateway":
        yield ("auth",), "no service is behind it that could refuse a caller: write enforce: gateway"


def _calls(route: WrittenRoute) -> Found:
    try:
        entry = AggregateEntry.model_validate(route.fields["aggregate"])
    except ValidationError:
        return  # a fault of its own
    variables = route.template.variables if route.template else ()
    for name, call in entry.calls.items():
        at = ("aggregate", "calls", name)
        for field, message in (*_unknown(entry, name, call), *_references(call, variables)):
            yield (*at, field), message
    for name in _in_circles({name: call_names(call) for name, call in entry.calls.items()}):
        before = ", ".join(call_names(entry.calls[name]))
        yield ("aggregate", "calls", name), f"waits for itself: {name} comes after {before}; remove one of the two"
    for message in _answer(entry):
        yield ("aggregate", "answer"), message


def _unknown(entry: AggregateEntry, own: str, call: CallEntry) -> Iterator[tuple[str, str]]:
    listed = list_place(call.each).name if call.each else None
    for name in call_names(call):
        if name not in entry.calls:
            field = "after" if name in call.after else "each" if name == listed else "path"
            others = ", ".join(sorted(entry.calls.keys() - {own})) or "none"
            yield field, f"there is no call {quoted(name)}; the other calls: {others}"


def _references(call: CallEntry, variables: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if call.each and list_place(call.each).name in (EACH, IDENTITY, VALUES, MARKS):
        yield "each", "wanted a list of another call, such as items:/data"
    for one in _references_in(call.path):
        if one.path is None and one.name not in variables:
            known = ", ".join(variables) or "none"
            yield "path", f"{one} is not a variable of the route's path; its variables: {known}"
        elif one.path is not None and one.name == EACH and not call.each:
            yield "path", f"{one} is an element of `each:`, and this call has none"
        elif one.path is not None and one.name == IDENTITY and one.path != _SUBJECT:
            yield "path", f"of the verified user only {{{IDENTITY}:/subject}} is known, seen {one}"
        elif one.path is not None and one.name in (VALUES, MARKS):
            yield "path", f"{one} is known only when all calls have ended"


def _references_in(path: str) -> Iterator[Reference]:
    """Of a path that was read without a fault."""
    return (piece for piece in parse_references(path) if isinstance(piece, Reference))


def _in_circles(after: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The calls that come after themselves."""
    for name in after:
        seen: set[str] = set()
        following = list(after[name])
        while following:
            one = following.pop()
            if one == name:
                yield name
                break
            if one not in seen:
                seen.add(one)
                following += after.get(one, ())


def _answer(entry: AggregateEntry) -> Iterator[str]:
    for piece in json_pieces(entry.answer):
        if isinstance(piece, str):
            continue
        if piece.path is None and piece.name not in (VALUES, MARKS):
            yield f"{piece} stands for nothing; wanted {{{VALUES}}}, {{{MARKS}}} or a call's value, such as {{name:}}"
        elif piece.path is not None and piece.name not in entry.calls:
            yield f"there is no call {quoted(piece.name)}; the calls: {', '.join(sorted(entry.calls))}"
