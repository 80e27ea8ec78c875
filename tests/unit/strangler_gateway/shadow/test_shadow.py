"""Shadow: the new end is asked the same after the user has his answer; differences that last are counted and shown."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chassis.auth.claims import Identity, IdentityUnavailable
from chassis.auth.tokens import TokenVerifier
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.gateway import Gateway
from strangler_gateway.shadow.examples import MAX_EXAMPLES, Examples
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.steps.decide import Decide
from strangler_gateway.table.routes import Auth, MigrationState, Service, ShadowRules
from strangler_gateway.telemetry.stats import RouteStats
from tests.support.gateway.exchanges import ALICE, LaterProvider, Provider, exchange, gateway_for, route, signer, step
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
        x.identity = ALICE
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


async def test_equal_answers_are_compared_once_and_the_monolith_is_left_alone() -> None:
    async with stage(shop=Side(answer(b'{"id":    1}'))) as s:
        await s.judged()
        assert s.counted() == {"compared": 1}
        assert (len(s.shop.requests), len(s.monolith.requests)) == (1, 0)
        assert s.examples == []


async def test_the_call_is_the_users_request_marked_and_authorised_like_a_real_one() -> None:
    fields = {"Authorization": "Bearer monolith's token", "X-Weird": "1", "Strangler-Shadow": "no"}
    async with stage() as s:
        await s.judged(fields=fields, target="/a%2Fb?q=1&q=2")
        [request] = s.shop.requests
        assert (request.method, request.target) == (b"GET", b"/a%2Fb?q=1&q=2")
        assert request.fields[b"strangler-shadow"] == b"1"
        assert request.fields[b"x-weird"] == b"1"
        assert request.fields[b"x-request-id"] == b"request-1"
        token = request.fields[b"authorization"].removeprefix(b"Bearer ")
        assert (await TokenVerifier("shop", jwks=signer().jwks()).verify(token)).subject == "alice"


async def test_a_difference_that_is_there_again_counts_and_is_shown_without_values() -> None:
    async with stage(shop=Side(answer({"id": "secret"}))) as s:
        await s.judged(fields={"Authorization": "Bearer t"}, target="/user/alice?mail=a@b")
        assert s.counted() == {"compared": 1, "different": 1}
        [example] = s.examples
        assert example["differences"] == [{"where": "$.id", "legacy": "integer", "extracted": "string"}]
        assert (example["path"], example["method"], example["count"]) == ("/{rest...}", "GET", 1)
        assert "secret" not in repr(example)
        assert "alice" not in repr(example)
        json.dumps(example)


async def test_both_sides_are_read_again_each_with_its_own_credential() -> None:
    async with stage(shop=Side(answer({"id": 2}))) as s:
        await s.judged(fields={"Authorization": "Bearer monolith's token"})
        [again] = s.monolith.requests
        assert again.fields[b"authorization"] == b"Bearer monolith's token"
        assert again.fields[b"strangler-shadow"] == b"1"
        assert len(s.shop.requests) == 2
        assert all(b"monolith" not in request.fields[b"authorization"] for request in s.shop.requests)


async def test_a_difference_that_is_gone_at_the_second_reading_has_moved() -> None:
    async with stage(Side(answer({"id": 2})), Side(answer({"id": 2}))) as s:
        await s.judged(answer({"id": 1}))
        assert s.counted() == {"compared": 1, "moved": 1}
        assert s.examples == []


async def test_another_difference_at_the_second_reading_is_not_the_same_one() -> None:
    async with stage(Side(answer({"a": 1, "b": 1})), Side(answer({"a": 2, "b": 1}), answer({"a": 1, "b": 2}))) as s:
        await s.judged(answer({"a": 1, "b": 1}))
        assert s.counted() == {"compared": 1, "moved": 1}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_the_other_safe_methods_are_compared_too(method: str) -> None:
    async with stage() as s:
        await s.judged(answer(b"") if method == "HEAD" else None, method=method)
        assert s.counted() == {"compared": 1}
        assert s.shop.requests[0].method == method.encode()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "get"])
async def test_no_other_method_is_ever_sent_twice(method: str) -> None:
    async with stage() as s:
        assert s.begin(method=method).tap is None
        assert s.counted() == {}


@pytest.mark.parametrize(
    "state", [MigrationState.LEGACY, MigrationState.CANARY, MigrationState.EXTRACTED, MigrationState.RETIRED]
)
async def test_only_the_state_shadow_compares(state: MigrationState) -> None:
    async with stage(state=state) as s:
        assert s.begin().tap is None


@pytest.mark.parametrize("rules", [None, ShadowRules(pure=False), ShadowRules(share=0)])
def test_a_route_that_does_not_allow_it_is_not_compared(rules: ShadowRules | None) -> None:
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=rules))
    x = exchange(gateway)
    step(gateway, Decide, x)
    assert x.tap is None


def test_the_share_is_a_sample_of_the_requests() -> None:
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules(share=2_500, concurrency=1_000)))
    drawn = iter(range(0, 10_000, 100))
    gateway.shadow._sample = lambda below: next(drawn)
    taps = [gateway.shadow.tap(exchange(gateway)) for _ in range(100)]
    assert sum(tap is not None for tap in taps) == 25


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
    "primary", [answer(b"x" * 1_001), answer(b"", fields=((b"Content-Type", b"text/event-stream"),))]
)
async def test_an_answer_that_cannot_be_kept_is_let_go_at_once(primary: Answer) -> None:
    async with stage(rules=ShadowRules(max_body=1_000, concurrency=1)) as s:
        x = s.begin()
        assert x.tap is not None
        x.tap.head(primary.status, list(primary.fields))
        x.tap.body(primary.body)
        assert s.counted() == {"skipped": 1}
        other = s.begin()
        assert other.tap is not None
        s.end(x, primary)
        assert s.counted() == {"skipped": 1}
        assert s.shop.requests == []


async def test_an_answer_of_the_new_end_that_is_too_long_is_skipped() -> None:
    async with stage(shop=Side(answer(b"x" * 5_000)), rules=ShadowRules(max_body=1_000)) as s:
        await s.judged()
        assert s.counted() == {"skipped": 1}


async def test_a_decompressed_answer_that_is_too_long_is_skipped() -> None:
    bomb = Answer(200, gzip.compress(b"0" * 100_000), (*JSON, (b"Content-Encoding", b"gzip")))
    async with stage(shop=Side(bomb), rules=ShadowRules(max_body=10_000)) as s:
        await s.judged()
        assert s.counted() == {"skipped": 1}


async def test_a_client_that_leaves_gives_the_room_back() -> None:
    async with stage(rules=ShadowRules(concurrency=1)) as s:
        x = s.begin()
        assert x.tap is not None
        x.tap.head(200, [])
        for release in x.on_done:
            release()
        assert s.counted() == {"skipped": 1}
        assert s.begin().tap is not None


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


async def test_an_error_of_the_new_end_is_a_difference() -> None:
    async with stage(shop=Side(answer({}, 500))) as s:
        await s.judged()
        assert s.counted() == {"compared": 1, "different": 1}
        assert s.examples[0]["differences"][0] == {"where": "status", "legacy": "200", "extracted": "500"}


async def test_while_the_store_is_away_the_comparison_has_failed() -> None:
    async with stage(provider=LaterProvider(ALICE, IdentityUnavailable("store away"))) as s:
        await s.judged()
        assert s.counted() == {"failed": 1}
        assert s.shop.requests == []


async def test_a_fault_of_the_provider_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with stage(provider=Provider(ALICE, KeyError("fault"))) as s:
        await s.judged()
        assert s.counted() == {"failed": 1}
        assert any(record.exc_info for record in caplog.records)


async def test_what_the_gateway_would_refuse_is_compared_as_refused() -> None:
    auth = Auth(frozenset({"admin"}), "gateway")
    async with stage(auth=auth) as s:
        await s.judged()
        assert s.counted() == {"compared": 1, "different": 1}
        assert s.examples[0]["differences"][0] == {"where": "status", "legacy": "200", "extracted": "403"}
        assert s.shop.requests == []


async def test_the_identity_is_the_live_one() -> None:
    live = Identity(ALICE.outcome, "alice", ("user", "admin"), credential=ALICE.credential)
    async with stage(provider=Provider(ALICE, live)) as s:
        await s.judged()
        token = s.shop.requests[0].fields[b"authorization"].removeprefix(b"Bearer ")
        assert (await TokenVerifier("shop", jwks=signer().jwks()).verify(token)).roles == ("user", "admin")


async def test_a_compressed_answer_equals_a_plain_one() -> None:
    packed = Answer(200, gzip.compress(b'{"id": 1}'), (*JSON, (b"Content-Encoding", b"gzip")))
    async with stage() as s:
        await s.judged(packed)
        assert s.counted() == {"compared": 1}


async def test_an_unknown_coding_makes_both_sides_be_read_plain() -> None:
    packed = Answer(200, b"\x0b\x02\x80{}\x03", (*JSON, (b"Content-Encoding", b"br")))
    async with stage() as s:
        await s.judged(packed, fields={"Accept-Encoding": "br"})
        assert s.counted() == {"compared": 1}
        assert s.monolith.requests[0].fields[b"accept-encoding"] == b"identity"
        assert s.shop.requests[0].fields[b"accept-encoding"] == b"br"


async def test_a_location_counts_as_the_client_would_see_it() -> None:
    shop = Side()
    async with stage(shop=shop) as s:
        inside = b"http://127.0.0.1:%d/item/1" % s.shop.port
        shop.answers = [answer(b"", 302, ((b"Location", inside),))]
        await s.judged(answer(b"", 302, ((b"Location", b"http://shop.example/item/1"),)))
        assert s.counted() == {"compared": 1}


async def test_long_bodies_are_compared_as_well_and_off_the_loop() -> None:
    long = {"items": [{"id": n, "name": "x" * 50} for n in range(1_000)]}
    turned = json.dumps(long, sort_keys=True, indent=1).encode()
    async with stage(shop=Side(answer(turned))) as s:
        await s.judged(answer(long))
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


async def test_values_and_targets_are_shown_where_it_is_allowed() -> None:
    async with stage(shop=Side(answer({"id": 2})), rules=ShadowRules(show_values=True)) as s:
        await s.judged(target="/item/7?x=1")
        assert s.examples[0]["path"] == "/item/7?x=1"
        assert s.examples[0]["differences"] == [{"where": "$.id", "legacy": "integer 1", "extracted": "integer 2"}]


async def test_equal_kinds_of_difference_are_one_example_with_a_count() -> None:
    async with stage(shop=Side(answer({"id": 2}))) as s:
        for _ in range(3):
            await s.judged()
        assert [example["count"] for example in s.examples] == [3]


def test_examples_are_capped_and_the_latest_comes_first() -> None:
    examples = Examples(clock=lambda: 1.0)
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules()))
    for n in range(MAX_EXAMPLES + 5):
        examples.add(exchange(gateway), [Difference(f"$.{'x' * n}", "a", "b")])
    kept = examples.of("everything")
    assert len(kept) == MAX_EXAMPLES
    assert kept[0]["differences"] == [{"where": f"$.{'x' * (MAX_EXAMPLES + 4)}", "legacy": "a", "extracted": "b"}]
    assert examples.of("another") == []
