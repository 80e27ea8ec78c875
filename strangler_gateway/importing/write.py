"""The first routes file: what was found, each guess as a comment, what was not understood with its lines."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strangler_gateway.config.addresses import origin
from strangler_gateway.config.checks.check import check_text
from strangler_gateway.config.checks.secrets import is_name
from strangler_gateway.config.yaml.scalars import resolve
from strangler_gateway.importing.found import (
    MAX_ROUTES,
    FoundConfiguration,
    FoundEnd,
    FoundRoute,
    ImportRefused,
)
from strangler_gateway.table.routes import PathRules
from strangler_gateway.table.template import parse, shape

LAST_ROUTE = "everything-else"


@dataclass(frozen=True, slots=True)
class _Placed:
    """A route of the file. `extracted`, `share`: None where it goes to legacy alone."""

    found: FoundRoute
    legacy: FoundEnd
    extracted: FoundEnd | None = None
    share: float | None = None

    @property
    def position(self) -> tuple[str, float | None] | None:
        return (self.extracted.service, self.share) if self.extracted else None


def routes_text(found: FoundConfiguration, source: str) -> str:
    """A file that passes `strangler check`. Raises ImportRefused."""
    routes = _distinct(found)
    names = _names(routes)
    monolith = _monolith(routes)
    placed = [_placed(route, monolith) for route in routes]
    if placed[-1].found.path != "/{rest...}" or placed[-1].found.methods is not None:
        guess = ("nothing took the other requests; the monolith does now",)
        placed.append(_Placed(FoundRoute(0, "/{rest...}", None, (), guess), FoundEnd(monolith)))
    groups = _groups(placed, names)
    lines = [*_head(found, source), "services:", *_services(placed, found, names)]
    lines += ["", "# A guess: routes that go to the same service move together.", "groups:"] if groups else []
    lines += [f"  {name}: {{state: {_state(share)}}}" for (_, share), name in groups.items()]
    lines += ["", "routes:", *_routes(placed, groups, names)]
    text = "\n".join(lines) + "\n"
    faults = check_text(text, {}).faults
    if faults:
        raise ImportRefused(f"what was found makes no routes file: {faults[0].message}")
    return text


def _head(found: FoundConfiguration, source: str) -> Iterator[str]:
    yield f"# Written by `strangler import {source}`. Review every guess, then: strangler check FILE"
    for what, lines in found.problems.items():
        shown = ", ".join(map(str, lines[:5])) + (", …" if len(lines) > 5 else "")
        yield f"# Not understood, line {shown}: {_on_one_line(what)}"
    yield "version: 1"
    slash = "ignore" if found.ignores_slash else "strict"
    yield ""
    yield "# A guess: from the first expressions that say so. A wrong value lets requests miss their route."
    fold = "false" if found.folds_case else "true"
    yield f"paths: {{case_sensitive: {fold}, trailing_slash: {slash}, decode_literals: false}}"
    yield ""


def _distinct(found: FoundConfiguration) -> list[FoundRoute]:
    """The first of equal ones, as the source has it; the last one takes all. Raises ImportRefused."""
    rules = PathRules(not found.folds_case, "ignore" if found.ignores_slash else "strict")
    taken: dict[object, int] = {}
    kept: list[FoundRoute] = []
    for route in found.routes:
        methods = frozenset(
            route.methods - {"HEAD"} if route.methods and "GET" in route.methods else route.methods or ()
        )
        template = parse(route.path)
        keys = [(shape(template, rules), template.rest, method) for method in methods or (None,)]
        if first := next((taken[key] for key in keys if key in taken), None):
            found.problem(route.line, f"never reached: line {first} takes these requests")
            continue
        taken |= dict.fromkeys(keys, route.line)
        kept.append(FoundRoute(route.line, route.path, methods or None, route.ends, route.guesses))
    if not kept:
        raise ImportRefused("no route was found that goes to a server")
    if len(kept) > MAX_ROUTES:
        raise ImportRefused(f"{len(kept)} routes were found, at most {MAX_ROUTES} are taken")
    return sorted(kept, key=lambda route: route.path == "/{rest...}" and route.methods is None)


def _monolith(routes: Sequence[FoundRoute]) -> str:
    """The service that most shares have in common; of several the one that gets everything else, or most routes."""
    last = routes[-1]
    rest = [end.service for end in last.ends] if last.path == "/{rest...}" and last.methods is None else []
    divided = [end.service for route in routes if len(route.ends) > 1 for end in route.ends]
    every = [end.service for route in routes for end in route.ends]
    shares, routes_of = Counter(divided), Counter(every)
    return max(routes_of, key=lambda name: (shares[name], name in rest, routes_of[name]))


def _placed(route: FoundRoute, monolith: str) -> _Placed:
    """The end at the monolith is the legacy one; without it the larger one is, of two."""
    legacy = next((end for end in route.ends if end.service == monolith), None)
    others = [end for end in route.ends if end is not legacy]
    guesses = route.guesses
    if not others:
        return _Placed(route, legacy or FoundEnd(monolith))
    if legacy is None and len(others) > 1:
        legacy = max(others, key=lambda end: end.weight)
        others.remove(legacy)
        guesses = (*guesses, f"{legacy.service} is the legacy side, because it gets more")
    if len(others) > 1:
        guesses = (*guesses, f"only two ends are possible: {', '.join(end.service for end in others[1:])} left out")
    new, whole = others[0], sum(end.weight for end in route.ends)
    share = round(100 * new.weight / whole, 2) if legacy is not None else None
    if share == 100.0:
        share = None
    return _Placed(
        FoundRoute(route.line, route.path, route.methods, route.ends, guesses), legacy or FoundEnd(monolith), new, share
    )


def _state(share: float | None) -> str:
    return "extracted" if share is None else f"canary, share: {share:g}"


def _names(routes: Sequence[FoundRoute]) -> dict[str, str]:
    """By the name in the source, one that routes.yaml takes."""
    used = dict.fromkeys(end.service for route in routes for end in route.ends)
    taken: set[str] = set()
    return {name: _untaken(_word(name, "service"), taken) for name in used}


def _untaken(word: str, taken: set[str]) -> str:
    """The word, or with a number; it is taken then."""
    found = next(each for each in _numbered(word) if each not in taken)
    taken.add(found)
    return found


def _numbered(word: str) -> Iterator[str]:
    yield word
    yield from (f"{word}-{number}" for number in range(2, 1_000_000))


def _word(text: str, otherwise: str) -> str:
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:50].rstrip("-._")
    return word if word and is_name(word) and resolve(word) == (word, None) else otherwise


def _groups(placed: Sequence[_Placed], names: dict[str, str]) -> dict[tuple[str, float | None], str]:
    positions = dict.fromkeys(one.position for one in placed if one.position is not None)
    taken: set[str] = set()
    return {position: _untaken(names[position[0]], taken) for position in positions}


def _services(placed: Sequence[_Placed], found: FoundConfiguration, names: dict[str, str]) -> Iterator[str]:
    used = dict.fromkeys(end.service for one in placed for end in (one.legacy, one.extracted) if end is not None)
    for name in used:
        urls = [url for url in found.urls.get(name, []) if _is_url(url)]
        if not urls:
            yield f"  # A guess: no address was found for {json.dumps(name)}."
            urls = ["http://127.0.0.1:3000"]
        where = f"url: {json.dumps(urls[0])}" if len(urls) == 1 else f"urls: {json.dumps(urls)}"
        yield f"  {names[name]}: {{{where}}}"


def _is_url(url: str) -> bool:
    try:
        origin(url)
    except ValueError:
        return False
    return "${" not in url


def _routes(
    placed: Sequence[_Placed], groups: dict[tuple[str, float | None], str], names: dict[str, str]
) -> Iterator[str]:
    taken = {LAST_ROUTE, *groups.values()}
    for one in placed:
        is_last = one is placed[-1]
        name = LAST_ROUTE if is_last else _route_id(one.found, taken)
        for guess in one.found.guesses:
            line = f" (line {one.found.line})" if one.found.line else ""
            yield f"  # A guess{line}: {_on_one_line(guess)}."
        methods = f"methods: {json.dumps(sorted(one.found.methods))}, " if one.found.methods else ""
        fields = [f"id: {name}", f"match: {{{methods}path: {json.dumps(one.found.path, ensure_ascii=False)}}}"]
        fields.append(f"legacy: {names[one.legacy.service]}")
        if one.extracted is not None and one.position is not None:
            fields += [f"group: {groups[one.position]}", f"extracted: {names[one.extracted.service]}"]
        ends = {"legacy": one.legacy.rewrite, "extracted": one.extracted.rewrite if one.extracted else None}
        rewrites = [f"{side}: {json.dumps(path)}" for side, path in ends.items() if path is not None]
        fields += [f"rewrite: {{{', '.join(rewrites)}}}"] if rewrites else []
        yield f"  - {{{', '.join(fields)}}}"


def _route_id(route: FoundRoute, taken: set[str]) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", route.path).strip("-").lower()[:40].rstrip("-") or "root"
    method = f"-{sorted(route.methods)[0].lower()}" if route.methods else ""
    word = _word(f"{words}{method}", "route") if not words[0].isdigit() else f"route-{words}{method}"
    return _untaken(word, taken)


def _on_one_line(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
