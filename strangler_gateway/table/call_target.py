"""Where a call of an aggregate goes: its path with values, and the route that takes it. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from strangler_gateway.table.json_path import value_at
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import MigrationState, Route, Service
from strangler_gateway.table.rules.aggregate import CallRules, Reference

MAX_VALUE = 256
_DOT_SEGMENT = re.compile(rb"(?i)/(?:\.|%2e){1,2}(?:/|$)")
"""An upstream that resolves it would serve another path than the one that was matched."""
_SERVED_BY_SERVICE = (MigrationState.CANARY, MigrationState.EXTRACTED, MigrationState.RETIRED)
_UNKNOWN = b"{}"
"""Stands for a value that is not known yet: no literal of a route contains it."""


def filled(call: CallRules, variables: Mapping[str, bytes], values: Mapping[str, object]) -> bytes | None:
    """The request target. None: a value is not there, or is none that may stand in a path.

    `variables`: of the route's path, as sent; `values`: JSON by the name that references give it.
    """
    pieces = [_filled(piece, variables, values) for piece in call.target]
    if None in pieces:
        return None
    target = b"".join(piece for piece in pieces if piece is not None)
    return None if _DOT_SEGMENT.search(target.partition(b"?")[0]) else target


def path_of(call: CallRules, variables: Mapping[str, bytes]) -> bytes:
    """The path of a call before it is made, `{}` where a value is not known yet."""
    return b"".join([_known(piece, variables) for piece in call.target]).partition(b"?")[0]


def match_call(matcher: Matcher, call: CallRules) -> Route:
    """The route that takes the call, whatever its values are."""
    return matcher.match(b"GET", path_of(call, {}))[0]


def ends_of_calls(matcher: Matcher, route: Route) -> list[Service]:
    """The services and the monolith that the calls of an aggregate go to, as the groups of their routes stand."""
    takers = [match_call(matcher, call) for call in route.aggregate.calls] if route.aggregate else []
    return [service for taker in takers for service in _ends(taker)]


def _ends(route: Route) -> list[Service]:
    state = route.movable.state
    new = [route.extracted] if route.extracted and state in _SERVED_BY_SERVICE else []
    return new if new and not route.movable.draws else [*new, route.legacy]


def _known(piece: str | Reference, variables: Mapping[str, bytes]) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    return variables.get(piece.name, _UNKNOWN) if piece.path is None else _UNKNOWN


def _filled(piece: str | Reference, variables: Mapping[str, bytes], values: Mapping[str, object]) -> bytes | None:
    if isinstance(piece, str):
        return piece.encode()
    if piece.path is None:
        return variables.get(piece.name)
    return _segment(value_at(values.get(piece.name), piece.path))


def _segment(value: object) -> bytes | None:
    """A text or whole number as part of one segment, which it cannot end."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    if not text or len(text) > MAX_VALUE:
        return None
    try:
        return quote(text, safe="").encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
