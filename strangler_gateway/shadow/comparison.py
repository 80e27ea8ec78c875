"""How two answers to one request differ: status, chosen headers, JSON tree (other bodies by bytes). Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from strangler_gateway.shadow.json_compare import MAX_DIFFERENCES, MAX_VALUE, Difference, JsonComparison, Node
from strangler_gateway.table.json_path import parse
from strangler_gateway.table.routes import ShadowRules


@dataclass(frozen=True, slots=True)
class Seen:
    """One side's answer, its body decoded."""

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    body: bytes
    cut: bool = False
    """The body is only its beginning: the side broke it off."""


class Rules:
    """ShadowRules with its paths read; made once per rules."""

    def __init__(self, rules: ShadowRules) -> None:
        self.headers = tuple(name.lower() for name in rules.headers)
        self.show_values = rules.show_values
        self.root = Node()
        for path in rules.ignore:
            self.root.at(parse(path)).ignored = True
        for path in rules.unordered:
            self.root.at(parse(path)).unordered = True


compiled = lru_cache(maxsize=512)(Rules)


def compare(legacy: Seen, extracted: Seen, rules: Rules) -> tuple[Difference, ...]:
    """At most 20 differences; none at all: a client could not tell the two answers apart."""
    found: list[Difference] = []
    if legacy.status != extracted.status:
        found.append(Difference("status", str(legacy.status), str(extracted.status), "status"))
    found += _headers(legacy, extracted, rules)
    if extracted.cut and not legacy.cut:
        ours, theirs = f"{len(legacy.body)} bytes", f"broken off after {len(extracted.body)} bytes"
        found.append(Difference("body", ours, theirs, "cut"))
    elif legacy.body != extracted.body and not legacy.cut:
        found += _bodies(legacy.body, extracted.body, rules)
    return tuple(found[:MAX_DIFFERENCES])


def persisting(first: Iterable[Difference], second: Iterable[Difference]) -> tuple[Difference, ...]:
    """Those of the second reading that the first one had too."""
    places = {difference.place for difference in first}
    return tuple(difference for difference in second if difference.place in places)


def _headers(legacy: Seen, extracted: Seen, rules: Rules) -> Iterable[Difference]:
    for name in rules.headers:
        ours, theirs = _values(legacy, name), _values(extracted, name)
        if ours != theirs:
            show = rules.show_values or name == "content-type"
            yield Difference(f"header {name}", _header(ours, show), _header(theirs, show), "header")


def _values(seen: Seen, name: str) -> list[bytes]:
    wanted = name.encode()
    return [value for field, value in seen.fields if field.lower() == wanted]


def _header(values: list[bytes], show: bool) -> str:
    if not values:
        return "absent"
    return b", ".join(values).decode("ascii", "backslashreplace")[:MAX_VALUE] if show else "present"


def _bodies(legacy: bytes, extracted: bytes, rules: Rules) -> list[Difference]:
    try:
        comparison = JsonComparison(rules.show_values)
        comparison.values(json.loads(legacy), json.loads(extracted), (rules.root,), "$")
    except (ValueError, RecursionError):
        return [_bytes(legacy, extracted)]
    return comparison.found


def _bytes(legacy: bytes, extracted: bytes) -> Difference:
    at = next((i for i, (a, b) in enumerate(zip(legacy, extracted, strict=False)) if a != b), None)
    first = min(len(legacy), len(extracted)) if at is None else at
    return Difference("body", f"{len(legacy)} bytes", f"{len(extracted)} bytes, another one at {first}")
