"""What counts for the gate: drawn users alone, each until the first failure; bounded, and whole after a restart."""

import json

import pytest

from strangler_gateway.exchange.decision import FAILED_OVER, choose
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.table.bucket import BUCKETS, key_hash
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable, Service, Side
from strangler_gateway.telemetry.stats import Stats

SERVICE = Service("s", "http", "h", 80)
SHARE = 5_000
GROUP = Movable("g", "group", MigrationState.CANARY, SHARE, salt="g")
READ, WRITE = (Route(name, f"/{name}", None, GROUP, SERVICE, SERVICE) for name in ("read", "write"))
TABLE = RouteTable("d", (READ, WRITE), {"s": SERVICE}, {"g": GROUP})
HEAD = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000, 1000, 10)
USERS = [f"user-{n}" for n in range(400)]
NEW = [user for user in USERS if key_hash("g", user.encode()) % BUCKETS < SHARE]
OLD = [user for user in USERS if user not in NEW]


def ended(user: str | None, status: int = 200, route: Route = READ, **fields: object) -> Exchange:
    x = Exchange(HEAD, HeadMemory(), TABLE, "1.2.3.4", b"http", 0.0)
    x.route, x.status = route, status
    if user is not None:
        x.key_hash = key_hash("g", user.encode())
        x.bucket = x.key_hash % BUCKETS
    x.decision = choose(route, x.bucket)
    for name, value in fields.items():
        setattr(x, name, value)
    return x


@pytest.fixture
def stats() -> Stats:
    stats = Stats(wall=lambda: 100.0)
    stats.begin_step("g", 50.0, SHARE, ["read", "write"])
    return stats


def rows(stats: Stats, *exchanges: Exchange) -> dict[str, tuple[int, ...]]:
    for exchange in exchanges:
        stats.count(exchange, 0.001)
    return {route: counts.row() for route, counts in stats.steps["g"].routes.items()}


def test_a_user_counts_until_the_first_failure_on_each_route_for_itself(stats: Stats) -> None:
    retries = [ended(NEW[0], 500) for _ in range(100)]
    assert rows(stats, *[ended(NEW[0])] * 3, *retries, ended(NEW[0])) == {"read": (1, 4, 0, 0)}
    assert rows(stats, ended(NEW[0], 502, WRITE)) == {"read": (1, 4, 0, 0), "write": (1, 1, 0, 0)}
    assert rows(stats, *[ended(OLD[0], 503)] * 2, ended(OLD[1], 404))["read"] == (1, 4, 1, 2)
    assert stats.steps["g"].users() == (1, 1, 1, 2)


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({"status": 500}, (1, 1, 0, 0)),
        ({"status": 200, "stage": b"body"}, (1, 1, 0, 0)),
        ({"status": 504, "stage": b"response"}, (1, 1, 0, 0)),
        ({"status": 502, "stage": b"connect"}, (1, 1, 0, 0)),
        ({"status": 200, "decision": FAILED_OVER}, (1, 1, 0, 0)),
        ({"decision": choose(READ, 0, fail_over=True)}, (1, 1, 0, 0)),
        ({"status": 404}, (0, 1, 0, 0)),
        ({"status": 499, "stage": b"client"}, None),
        ({"decision": choose(READ, 0, Side.EXTRACTED)}, (0, 0, 0, 0)),
    ],
)
def test_failures_are_those_of_the_new_side(
    stats: Stats, fields: dict[str, object], row: tuple[int, ...] | None
) -> None:
    assert rows(stats, ended(NEW[0], **fields)).get("read") == row  # type: ignore[arg-type]  # by name


def test_who_was_not_drawn_does_not_count(stats: Stats) -> None:
    assert rows(stats, ended(None, 500), ended(None)) == {}
    assert rows(stats, ended(NEW[0], 500, route=_moved(READ))) == {}


def _moved(route: Route) -> Route:
    """As an exchange holds it that began before a move."""
    group = Movable("g", "group", MigrationState.CANARY, SHARE - 1, salt="g")
    return Route(route.id, route.path, None, group, SERVICE, SERVICE)


def test_users_are_told_apart_and_counted(stats: Stats) -> None:
    rows(stats, *(ended(user, 500 if user in NEW[:20] else 200) for user in USERS), *map(ended, USERS))
    failing, new, failing_old, old = stats.steps["g"].users()
    assert (failing, failing_old) == (20, 0)
    assert abs(new - len(NEW)) <= 3
    assert abs(old - len(OLD)) <= 3


def test_the_latest_failure_is_the_example_and_holds_nobodys_data(stats: Stats) -> None:
    rows(stats, ended(NEW[0], 502, WRITE, stage=b"connect", request_id=b"r-1"))
    assert stats.steps["g"].example == {
        "route": "write",
        "method": "GET",
        "status": 502,
        "reason": "share_in",
        "failed": "connect",
        "request_id": "r-1",
        "at": "1970-01-01T00:01:40Z",
    }


def test_a_restart_goes_on_where_the_step_was(stats: Stats) -> None:
    before = rows(stats, *(ended(user, 500 if user in NEW[:5] else 200) for user in USERS))
    step = stats.steps["g"]
    step.look = {"read": step.routes["read"].row()}
    again = Stats(wall=lambda: 200.0)
    again.restore(json.loads(json.dumps(stats.snapshot())))
    again.begin_step("g", 50.0004, SHARE, ["read"])  # the journal keeps milliseconds
    assert (again.steps["g"].users(), again.steps["g"].look) == (step.users(), step.look)
    assert rows(again, *(ended(user, 500) for user in NEW[:5])) == before


@pytest.mark.parametrize(("since", "share"), [(51.0, SHARE), (50.0, SHARE + 1)])
def test_after_a_move_the_counts_begin_anew_and_know_what_was_asked(stats: Stats, since: float, share: int) -> None:
    rows(stats, ended(NEW[0]), ended(OLD[0], route=WRITE))
    stats.begin_step("g", since, share, ["read", "write"])
    step = stats.steps["g"]
    assert (step.routes, step.users(), step.asked) == ({}, (0, 0, 0, 0), frozenset(("read",)))
    assert step.before == {"read": (0, 1, 0, 0), "write": (0, 0, 0, 1)}
    stats.end_steps("g")
    stats.begin_step("g", since, share, ["read", "write"])
    assert stats.steps["g"].asked == frozenset()


@pytest.mark.parametrize(
    "damage",
    [
        {"since": "x"},
        {"routes": {"read": [1, 2, 3]}},
        {"routes": {"read": [1, 2, 3, -4]}},
        {"routes": {"read": [2, 1, 0, 0]}},
        {"new": ["", ""]},
        {"new": ["", "", 1]},
        {"new": ["f" * 5000, "", ""]},
        {"look": {"": [1, 2, 3]}},
        {"look": {"read": [1, 2]}},
        {"asked": None},
        {"look": {"read": "x"}},
        {"before": {"read": [1]}},
    ],
)
def test_a_damaged_step_is_left_out_and_counts_anew(stats: Stats, damage: dict[str, object]) -> None:
    saved = stats.snapshot()
    saved["steps"]["g"] |= damage
    again = Stats()
    again.restore(saved)
    assert again.steps == {}


def test_the_sum_over_gateways_counts_a_user_once_and_every_request(stats: Stats) -> None:
    other, whole = (Stats(wall=lambda: 100.0) for _ in range(2))
    for one in (other, whole):
        one.begin_step("g", 50.0, SHARE, ["read", "write"])
    mine, theirs = [ended(user, 500) for user in NEW[:3]], [ended(user) for user in (*NEW[2:5], *OLD[:2])]
    rows(stats, *mine)
    rows(other, *theirs)
    rows(whole, *mine, *theirs)
    summed = Stats(wall=lambda: 100.0)
    summed.since = 0.0
    for one in (stats, other):
        summed.add(json.loads(json.dumps(one.part(["read", "write"], ["g"]))))
    assert summed.steps["g"].users() == whole.steps["g"].users() == (3, 5, 0, 2)
    assert [summed.route("read").row(), summed.route("read").compared()] == [(3, 6, 0, 2), (8, 0, 0, 0, 0)]
    assert summed.steps["g"].routes["read"].row() == (3, 6, 0, 2)
    assert summed.since == 100.0


@pytest.mark.parametrize("lost", ["legacy", "shadow_different", "last_legacy_at"])
def test_a_number_that_is_missing_in_a_sum_is_not_zero(stats: Stats, lost: str) -> None:
    part = stats.part(["read"], ["g"])
    del part["routes"]["read"][lost]
    with pytest.raises(LookupError):
        Stats().add(part)


def test_counting_anew_forgets_the_steps_and_keeps_the_counters(stats: Stats) -> None:
    rows(stats, *[ended(user, 500) for user in NEW[:3]])
    stats.begin_anew()
    step = stats.steps["g"]
    assert (step.users(), step.routes, step.before["read"]) == ((0, 0, 0, 0), {}, (3, 3, 0, 0))
    assert stats.route("read").extracted == 3
    assert (step.since, stats.anew) == (50.0, {"read": (3, 0, 0, 0, 0), "write": (0, 0, 0, 0, 0)})
