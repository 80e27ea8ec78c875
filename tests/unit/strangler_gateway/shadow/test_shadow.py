"""Shadow: the new end is asked the same after the user has his answer; differences that last are counted and shown."""

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from chassis.auth.claims import Identity, IdentityUnavailable
from chassis.auth.tokens import TokenVerifier
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.gateway import Gateway
from strangler_gateway.shadow.examples import MAX_EXAMPLES, MAX_SAVED, Examples
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.shadow.shadow import READ_AGAIN
from strangler_gateway.steps.decide import Decide
from strangler_gateway.table.routes import Auth, MigrationState, Service, ShadowRules
from strangler_gateway.telemetry.stats import RouteStats
from tests.support.gateway.exchanges import (
    ALICE,
    LaterProvider,
    Provider,
    decided,
    exchange,
    gateway_for,
    known_as,
    route,
    signer,
    step,
)
from tests.support.origins import Answer, Origin, Request, origin, until

JSON = ((b"Content-Type", b"application/json"),)


def answer(value: Any, status: int = 200, fields: tuple[tuple[bytes, bytes], ...] = JSON) -> Answer:
    return Answer(status, value if isinstance(value, bytes) else json.dumps(value).encode(), fields)


class Side:
    """One side: answers in turn what the test says, the last answer again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [answer({"id": 1})]
        self.wait = asyncio.Event()
        self.wait.set()

    async def __call__(self, request: Request) -> Answer:
        await self.wait.wait()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Stage:
    """Both sides as real servers, and the gateway between."""

    def __init__(self, gateway: Gateway, monolith: Origin, shop: Origin) -> None:
        self.gateway, self.monolith, self.shop = gateway, monolith, shop

    @property
    def stats(self) -> RouteStats:
        return self.gateway.outside.stats.route("everything")

    @property
    def examples(self) -> list[dict[str, Any]]:
        return self.gateway.outside.examples.of("everything")

    def begin(self, fields: dict[str, str] | None = None, **request: Any) -> Exchange:
        """A request that has been decided."""
        x = exchange(self.gateway, fields, **request)
        x.request_id = b"request-1"
        known_as(self.gateway, x, ALICE)
        step(self.gateway, Decide, x)
        return x

    def end(self, x: Exchange, primary: Answer | None = None) -> None:
        """The primary's answer has gone to the user."""
        primary = primary or answer({"id": 1})
        assert x.tap is not None
        x.tap.head(primary.status, list(primary.fields))
        for at in range(0, len(primary.body), 1_000):
            x.tap.body(primary.body[at : at + 1_000])
        x.tap.done()
        for release in x.on_done:
            release()

    async def judged(self, primary: Answer | None = None, fields: dict[str, str] | None = None, **request: Any) -> None:
        """A whole request, and the comparison after it."""
        before = self.count()
        self.end(self.begin(fields, **request), primary)
        await until(lambda: self.count() > before and not self.gateway.shadow._running)

    def count(self) -> int:
        return self.stats.shadow_compared + self.stats.shadow_failed + self.stats.shadow_skipped

    def counted(self) -> dict[str, int]:
        names = ("compared", "different", "moved", "failed", "skipped")
        return {name: n for name in names if (n := getattr(self.stats, f"shadow_{name}"))}


@asynccontextmanager
async def stage(
    monolith: Side | None = None,
    shop: Side | None = None,
    rules: ShadowRules = ShadowRules(timeout_s=2),  # noqa: B008  frozen
    auth: Auth = Auth(),  # noqa: B008  frozen
    provider: Provider | None = None,
    state: MigrationState = MigrationState.SHADOW,
) -> AsyncIterator[Stage]:
    async with origin(monolith or Side()) as left, origin(shop or Side()) as right:
        legacy, new = (
            Service("monolith", "http", "127.0.0.1", left.port),
            Service("shop", "http", "127.0.0.1", right.port),
        )
        one = route(state, legacy=legacy, extracted=new, shadow=rules, auth=auth)
        gateway = gateway_for(one, provider or Provider())
        try:
            yield Stage(gateway, left, right)
        finally:
            await gateway.shadow.aclose()
            gateway.upstreams.close()


PACKED = Answer(200, gzip.compress(b'{"id": 1}'), (*JSON, (b"Content-Encoding", b"gzip")))
BOMB = Answer(200, gzip.compress(b"0" * 100_000), (*JSON, (b"Content-Encoding", b"gzip")))
LONG = {"items": [{"id": n, "name": "x" * 50} for n in range(1_000)]}
TURNED = json.dumps(LONG, sort_keys=True, indent=1).encode()
SAME, MOVED, DIFFERENT = {"compared": 1}, {"compared": 1, "moved": 1}, {"compared": 1, "different": 1}
AWAY = IdentityUnavailable("store away")
CASES: dict[str, tuple[list[Answer], list[Answer], dict[str, Any], dict[str, int], int]] = {
    "equal answers, once, and the monolith is left alone": ([], [answer(b'{"id":    1}')], {}, SAME, 1),
    "a difference gone at the second reading": (
        [answer({"id": 1}), answer({"id": 2})],
        [answer({"id": 2})],
        {},
        MOVED,
        2,
    ),
    "another difference at the second reading": (
        [answer({"a": 1, "b": 1}), answer({"a": 1, "b": 1})],
        [answer({"a": 2, "b": 1}), answer({"a": 1, "b": 2})],
        {},
        MOVED,
        2,
    ),
    "data that a user writes during two readings": (
        [answer({"id": 7}), answer({"id": 5}), answer({"id": 6})],
        [answer({"id": 6})],
        {},
        MOVED,
        3,
    ),
    "a new end that changes, and comes after": (
        [],
        [answer({"id": 3}), answer({"id": 2}), answer({"id": 1})],
        {},
        MOVED,
        3,
    ),
    "a difference that lasts when the data has come to rest": (
        [answer({"id": 1, "error": 1}), answer({"id": 2, "error": 1}), answer({"id": 2, "error": 1})],
        [answer({}, 500)],
        {},
        DIFFERENT,
        3,
    ),
    "answers that change at each reading, and a status that differs": (
        [answer({"id": number}) for number in range(9)],
        [answer({"id": number}, 500) for number in range(9)],
        {},
        DIFFERENT,
        1 + READ_AGAIN,
    ),
    "an answer of the new end that is too long": (
        [],
        [answer(b"x" * 5_000)],
        {"rules": ShadowRules(max_body=1_000)},
        {"skipped": 1},
        1,
    ),
    "one that is too long when decompressed": ([], [BOMB], {"rules": ShadowRules(max_body=10_000)}, {"skipped": 1}, 1),
    "an error of the new end": ([], [answer({}, 500)], {}, DIFFERENT, 2),
    "a store that is away": ([], [], {"provider": LaterProvider(ALICE, AWAY)}, {"failed": 1}, 0),
    "a refusal of the gateway": ([], [], {"auth": Auth(frozenset({"admin"}), "gateway")}, DIFFERENT, 0),
    "compressed against plain": ([PACKED], [], {}, SAME, 1),
    "long bodies, off the loop": ([answer(LONG)], [answer(TURNED)], {}, SAME, 1),
}


@pytest.mark.parametrize(("legacy", "extracted", "given", "counted", "calls"), CASES.values(), ids=CASES)
async def test_two_answers_are_judged(
    legacy: list[Answer], extracted: list[Answer], given: dict[str, Any], counted: dict[str, int], calls: int
) -> None:
    async with stage(Side(*legacy[1:]), Side(*extracted), **given) as s:
        await s.judged(legacy[0] if legacy else None)
        assert (s.counted(), len(s.shop.requests)) == (counted, calls)
        assert len(s.examples) == counted.get("different", 0)
        if "different" in counted:
            refused = "auth" in given
            wanted = {"where": "status", "legacy": "200", "extracted": "403" if refused else "500", "kind": "status"}
            assert s.examples[0]["differences"][0] == wanted
        if counted == SAME:
            assert s.monolith.requests == []


async def test_the_call_is_the_users_request_marked_and_authorised_like_a_real_one() -> None:
    fields = {"Authorization": "Bearer monolith's token", "X-Weird": "1", "Strangler-Shadow": "no", "X_User": "root"}
    live = Identity(ALICE.outcome, "alice", ("user", "admin"), credential=ALICE.credential)
    async with stage(provider=Provider(ALICE, live)) as s:
        await s.judged(fields=fields, target="/a%2Fb?q=1&q=2")
        [request] = s.shop.requests
        assert (request.method, request.target) == (b"GET", b"/a%2Fb?q=1&q=2")
        wanted = {b"strangler-shadow": b"1", b"x-weird": b"1", b"x-request-id": b"request-1"}
        assert {name: request.fields[name] for name in wanted} == wanted
        assert b"x_user" not in request.fields
        token = request.fields[b"authorization"].removeprefix(b"Bearer ")
        told = await TokenVerifier("shop", jwks=signer().jwks()).verify(token)
        assert (told.subject, told.roles) == ("alice", ("user", "admin"))


async def test_a_difference_that_is_there_again_counts_and_is_shown_without_values() -> None:
    async with stage(shop=Side(answer({"id": "secret"}))) as s:
        for _ in range(3):
            await s.judged(fields={"Authorization": "Bearer monolith's token"}, target="/user/alice?mail=a@b")
        assert s.counted() == {"compared": 3, "different": 3}
        [example] = s.examples
        assert example["differences"] == [{"where": "$.id", "legacy": "integer", "extracted": "string", "kind": "type"}]
        assert (example["path"], example["method"], example["count"]) == ("/{rest...}", "GET", 3)
        assert "secret" not in repr(example)
        assert "alice" not in repr(example)
        json.dumps(example)
        # Both sides are read again, each with its own credential.
        assert (len(s.monolith.requests), len(s.shop.requests)) == (3, 6)
        again = s.monolith.requests[0].fields
        assert (again[b"authorization"], again[b"strangler-shadow"]) == (b"Bearer monolith's token", b"1")
        assert all(b"monolith" not in request.fields[b"authorization"] for request in s.shop.requests)


async def test_values_and_targets_are_shown_where_it_is_allowed() -> None:
    async with stage(shop=Side(answer({"id": 2})), rules=ShadowRules(show_values=True)) as s:
        await s.judged(target="/item/7?x=1")
        assert s.examples[0]["path"] == "/item/7?x=1"
        assert s.examples[0]["differences"] == [
            {"where": "$.id", "legacy": "integer 1", "extracted": "integer 2", "kind": "value"}
        ]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_the_other_safe_methods_are_compared_too(method: str) -> None:
    async with stage() as s:
        await s.judged(answer(b"") if method == "HEAD" else None, method=method)
        assert (s.counted(), s.shop.requests[0].method) == (SAME, method.encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "get"])
async def test_no_other_method_is_ever_sent_twice(method: str) -> None:
    async with stage() as s:
        assert s.begin(method=method).tap is None
        assert s.counted() == {}


@pytest.mark.parametrize("state", MigrationState)
@pytest.mark.parametrize("rules", [None, ShadowRules(pure=False), ShadowRules(share=0), ShadowRules()])
def test_only_the_state_shadow_of_a_route_that_allows_it_compares(
    state: MigrationState, rules: ShadowRules | None
) -> None:
    x = decided(gateway_for(route(state, shadow=rules)), who=ALICE)
    assert (x.tap is not None) == (state is MigrationState.SHADOW and rules == ShadowRules())


def test_the_share_is_a_sample_of_the_requests() -> None:
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules(share=2_500, concurrency=1_000)))
    drawn = iter(range(0, 10_000, 100))
    gateway.shadow._sample = lambda below: next(drawn)
    assert sum(gateway.shadow.tap(exchange(gateway)) is not None for _ in range(100)) == 25


@pytest.mark.parametrize(
    "fields",
    [{"Content-Length": "3"}, {"Transfer-Encoding": "chunked"}, {"Connection": "Upgrade", "Upgrade": "websocket"}],
)
async def test_a_request_with_a_body_and_a_websocket_are_skipped(fields: dict[str, str]) -> None:
    async with stage() as s:
        assert s.begin(fields).tap is None
        assert s.counted() == {"skipped": 1}


async def test_without_room_a_request_is_skipped_and_the_room_comes_back() -> None:
    shop = Side()
    shop.wait.clear()
    async with stage(shop=shop, rules=ShadowRules(concurrency=2, timeout_s=2)) as s:
        first, second = s.begin(), s.begin()
        assert s.begin().tap is None
        s.end(first)
        s.end(second)
        await until(lambda: len(s.shop.requests) == 2)
        assert s.begin().tap is None
        shop.wait.set()
        await until(lambda: s.stats.shadow_compared == 2)
        assert s.begin().tap is not None
        assert s.counted() == {"compared": 2, "skipped": 2}


@pytest.mark.parametrize(
    ("primary", "leaves"),
    [
        (answer(b"x" * 1_001), False),
        (answer(b"", fields=((b"Content-Type", b"text/event-stream"),)), False),
        (answer(b""), True),
    ],
    ids=["too long", "a stream", "the client leaves"],
)
async def test_an_answer_that_cannot_be_kept_is_let_go_at_once(primary: Answer, leaves: bool) -> None:
    async with stage(rules=ShadowRules(max_body=1_000, concurrency=1)) as s:
        x = s.begin()
        assert x.tap is not None
        x.tap.head(primary.status, list(primary.fields))
        x.tap.body(primary.body)
        for release in x.on_done if leaves else ():
            release()
        assert s.counted() == {"skipped": 1}
        assert s.begin().tap is not None
        if not leaves:
            s.end(x, primary)
        assert (s.counted(), s.shop.requests) == ({"skipped": 1}, [])


def hang(request: Request) -> Answer:
    raise ConnectionError


@pytest.mark.parametrize("kind", ["hangs", "hangs up"])
async def test_a_new_end_that_does_not_answer_has_failed(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    shop = Side()
    shop.wait.clear()
    rules = ShadowRules(timeout_s=0.05)
    async with stage(shop=shop if kind == "hangs" else hang, rules=rules) as s:  # type: ignore[arg-type]  # a handler
        await s.judged()
        assert s.counted() == {"failed": 1}
        assert [record for record in caplog.records if record.exc_info] == []


async def test_a_fault_of_the_provider_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(provider=Provider(ALICE, KeyError("fault"))) as s:
        await s.judged()
        assert s.counted() == {"failed": 1}
        assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize(("new_end", "counted", "readings"), [(1, SAME, 1), (2, DIFFERENT, 2)])
async def test_an_unknown_coding_makes_both_sides_be_read_plain(
    new_end: int, counted: dict[str, int], readings: int
) -> None:
    packed = Answer(200, b"\x0b\x02\x80{}\x03", (*JSON, (b"Content-Encoding", b"br")))
    async with stage(shop=Side(answer({"id": new_end}))) as s:
        await s.judged(packed, fields={"Accept-Encoding": "br"})
        assert s.counted() == counted
        asked = [[one.fields[b"accept-encoding"] for one in side.requests] for side in (s.monolith, s.shop)]
        assert asked == [[b"identity"] * readings, [b"br", *[b"identity"] * readings]]


async def test_a_location_counts_as_the_client_would_see_it() -> None:
    shop = Side()
    async with stage(shop=shop) as s:
        inside = b"http://127.0.0.1:%d/item/1" % s.shop.port
        shop.answers = [answer(b"", 302, ((b"Location", inside),))]
        await s.judged(answer(b"", 302, ((b"Location", b"http://shop.example/item/1"),)))
        assert s.counted() == {"compared": 1}


async def test_closing_ends_what_is_under_way() -> None:
    shop = Side()
    shop.wait.clear()
    async with stage(shop=shop) as s:
        s.end(s.begin())
        await until(lambda: len(s.shop.requests) == 1)
        await s.gateway.shadow.aclose()
        assert s.gateway.shadow._running == {}
        assert s.counted() == {}


def test_examples_outlive_a_restart_bounded_and_without_what_the_table_does_not_allow_any_more() -> None:
    clock = itertools.count(1.0)
    examples = Examples(clock=lambda: next(clock))
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules(show_values=True)))
    shown = exchange(gateway)
    for number in range(MAX_SAVED + 5):
        shown.route = replace(shown.route, id=f"r{number % 40}")
        examples.add(shown, [Difference(f"$.a{number}", "1", "2")])
    again = Examples()
    again.restore(json.loads(json.dumps(examples.snapshot())))
    assert len(again.snapshot()) == MAX_SAVED
    assert again.of("r39") == examples.of("r39")
    assert again.of("r39")[0]["values"]
    assert again.snapshot() is again.snapshot()
    silent = replace(shown.route, id="r39", shadow=ShadowRules())
    again.keep(replace(gateway.current.table, routes=(shown.route, silent)))
    assert (again.of("r39"), again.of("r1")) == ([], [])
    assert again.of(shown.route.id) == examples.of(shown.route.id)


KEPT = {"route": "a", "at": 1.0, "method": "GET", "path": "/", "differences": [], "count": 1, "values": False}


@pytest.mark.parametrize(
    "saved",
    [
        {},
        [1],
        [{}],
        [{**KEPT, "at": float("nan")}],
        [{**KEPT, "count": "many"}],
        [{**KEPT, "path": 1}],
        [KEPT, {**KEPT, "differences": [{"where": 1}]}],
    ],
)
def test_a_snapshot_that_cannot_be_read_restores_nothing(saved: Any) -> None:
    examples = Examples()
    with pytest.raises((ValueError, TypeError, LookupError)):
        examples.restore(saved)
    assert examples.snapshot() == []


def test_examples_are_capped_and_the_latest_comes_first() -> None:
    examples = Examples(clock=lambda: 1.0)
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules()))
    for n in range(MAX_EXAMPLES + 5):
        examples.add(exchange(gateway), [Difference(f"$.{'x' * n}", "a", "b")])
    kept = examples.of("everything")
    assert len(kept) == MAX_EXAMPLES
    assert kept[0]["differences"] == [
        {"where": f"$.{'x' * (MAX_EXAMPLES + 4)}", "legacy": "a", "extracted": "b", "kind": "value"}
    ]
    assert examples.of("another") == []


CUT = replace(answer(b'{"id": 1'), missing=1)


async def test_a_service_that_breaks_off_in_its_body_differs_in_that_and_an_example_shows_it() -> None:
    async with stage(shop=Side(CUT)) as on:
        await on.judged()
        assert on.counted() == {"compared": 1, "different": 1}
        [example] = on.examples
        [difference] = example["differences"]
        assert (difference["where"], difference["kind"]) == ("body", "cut")
        assert (difference["legacy"], difference["extracted"]) == ("9 bytes", "broken off after 8 bytes")


@pytest.mark.parametrize(
    ("monolith", "shop"), [(Side(), Side(CUT, answer({"id": 1}))), (Side(CUT), Side(CUT))], ids=["once", "both"]
)
async def test_a_body_that_breaks_off_once_or_on_both_sides_is_no_difference(monolith: Side, shop: Side) -> None:
    async with stage(monolith, shop) as on:
        await on.judged()
        assert on.counted() == {"compared": 1, "moved": 1}
