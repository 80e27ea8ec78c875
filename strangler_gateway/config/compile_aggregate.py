"""Turns the checked `aggregate:` of a route into the values that serve it."""

import json

from strangler_gateway.config.aggregate_model import AggregateEntry, CallEntry
from strangler_gateway.table.json_path import parse_pointer
from strangler_gateway.table.rules.aggregate import (
    RESERVED,
    AggregateRules,
    CallRules,
    Reference,
    json_pieces,
    parse_references,
)


def compile_aggregate(entry: AggregateEntry) -> AggregateRules:
    """The rules of an entry without faults."""
    return AggregateRules(
        calls=tuple(_call(name, call) for name, call in entry.calls.items()),
        answer=json_pieces(entry.answer),
        deadline_s=entry.deadline_s,
        max_body=entry.max_body,
        headers=tuple(entry.headers.items()),
    )


def list_place(text: str) -> Reference:
    """`call:/pointer`."""
    name, _, pointer = text.partition(":")
    return Reference(name, parse_pointer(pointer))


def call_names(call: CallEntry) -> tuple[str, ...]:
    """The calls that must come before it, each once: those of `after`, and those that `each` and the path name."""
    listed = [list_place(call.each)] if call.each else []
    named = [*listed, *(piece for piece in parse_references(call.path) if isinstance(piece, Reference))]
    referred = (one.name for one in named if one.path is not None and one.name not in RESERVED)
    return tuple(dict.fromkeys((*call.after, *referred)))


def _call(name: str, call: CallEntry) -> CallRules:
    return CallRules(
        name=name,
        target=parse_references(call.path),
        after=call_names(call),
        each=list_place(call.each) if call.each else None,
        at_most=call.at_most,
        pointer=parse_pointer(call.pointer),
        required=call.required,
        fallback=json.dumps(call.fallback),
        timeout_s=call.timeout_s,
        max_body=call.max_body,
    )
