"""Where a request would go and why, without sending it."""

from dataclasses import dataclass, replace

from strangler_gateway.exchange.decision import choose
from strangler_gateway.table.bucket import bucket
from strangler_gateway.table.call_target import path_of
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import Route, Service, Side
from strangler_gateway.table.rules.aggregate import CallRules


@dataclass(frozen=True, slots=True)
class Explanation:
    """`bucket` None: it does not count in this state, or nobody is known."""

    route: Route
    variables: tuple[tuple[str, str], ...]
    position: Position
    bucket: int | None
    side: Side
    reason: str
    service: Service | None
    """None: the request becomes a message or several calls, as `publish` or `aggregate` of the route says."""
    compared: bool
    """A shadow call would follow."""
    note: str = ""
    calls: tuple[tuple[CallRules, "Explanation"], ...] = ()
    """Of an aggregate: where each of its calls would go."""


def explain(matcher: Matcher, method: str, target: str, user: str | None = None) -> Explanation:
    """`target` is a path, with or without a query; `user` the verified user id."""
    one = _explained(matcher, method, target.partition("?")[0].encode(), user)
    rules = one.route.aggregate
    if rules is None or one.side is Side.LEGACY:
        return one
    values = dict(zip(one.route.variables, (value.encode() for _, value in one.variables), strict=True))
    paths = [(call, path_of(call, values)) for call in rules.calls]
    return replace(one, calls=tuple((call, _explained(matcher, "GET", path, user)) for call, path in paths))


def _explained(matcher: Matcher, method: str, path: bytes, user: str | None) -> Explanation:
    route, captured = matcher.match(method.encode(), path)
    unit = route.movable
    drawn = unit.draws and user is not None and route.has_new_end
    number = bucket(unit.salt, (user or "").encode()) if drawn else None
    decision = choose(route, number)
    side = decision.side
    return Explanation(
        route=route,
        variables=tuple(
            (n, v.decode("utf-8", "backslashreplace")) for n, v in zip(route.variables, captured, strict=True)
        ),
        position=position_of(unit),
        bucket=number,
        side=side,
        reason=decision.reason,
        service=route.extracted if side is Side.EXTRACTED else route.legacy,
        compared=decision.reason == "state_shadow" and _compared(route, method),
        note=_note(route, decision.reason),
    )


def _compared(route: Route, method: str) -> bool:
    return route.shadow is not None and route.shadow.pure and method in ("GET", "HEAD", "OPTIONS")


def _note(route: Route, reason: str) -> str:
    by = route.movable.anonymous
    if reason != "anonymous" or by == "legacy":
        return ""
    return f"without a user the gateway selects by {by}; this command cannot know the result"
