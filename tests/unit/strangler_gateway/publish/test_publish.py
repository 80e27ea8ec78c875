"""A request becomes a message, and the consumer's word the answer, on a broker in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.messaging.envelope import Envelope
from chassis.messaging.port import BrokerUnavailable, Handler, Unroutable
from chassis.service.metrics import rendered
from chassis.tracing.port import Kind, Span
from strangler_gateway.gateway import Gateway
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.telemetry.metrics_page import request_metrics
from strangler_gateway.telemetry.request_traces import RequestTraces
from tests.support.gateway.exchanges import Provider
from tests.support.gateway.exchanges import asking as now_asking
from tests.support.gateway.publishing import ARTICLE, SECRET, Warehouse, bearer, gateway_on, served
from tests.support.memory_broker import Fault, MemoryBroker
from tests.support.origins import Answer, origin

KEY = {"Idempotency-Key": "key-1"}
OTHER = "00000000-0000-4000-8000-000000000001"
GOOD = json.dumps({"articleId": ARTICLE}).encode()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET.decode())


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    yield broker
    await broker.aclose()


@pytest.fixture
async def warehouse(broker: MemoryBroker) -> Warehouse:
    return await Warehouse(broker.sibling()).open()


@pytest.fixture
def gateway(broker: MemoryBroker, warehouse: Warehouse) -> Gateway:
    return gateway_on(broker)


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with served(gateway) as client:
        yield client


def hurry(gateway: Gateway) -> None:
    """From now on it waits 0.2 s for the consumer's word instead of 20: for a word that does not come."""
    gateway.adopt(gateway_on(None, WAIT_S="0.2").current.table)


async def order(
    client: httpx.AsyncClient, article: str = ARTICLE, *, user: str = "ada", **fields: str
) -> httpx.Response:
    return await client.post("/orders", json={"articleId": article}, headers={**bearer(user), **fields})


async def test_the_message_carries_the_body_the_verified_user_and_the_trace(
    client: httpx.AsyncClient, warehouse: Warehouse
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = await client.post(
        "/orders",
        json={"articleId": ARTICLE, "count": 3},
        headers={**bearer("ada"), "Traceparent": trace, "X-User": "mallory", "Subject": "mallory"},
    )
    assert (answer.status_code, answer.headers["location"], answer.content) == (204, "/orders/o-1", b"")
    assert "content-length" not in answer.headers
    [asked] = warehouse.taken
    assert (asked.type, asked.subject, asked.traceparent) == ("order.requested.v1", "ada", trace)
    assert asked.body == {"articleId": ARTICLE, "count": 3}
    assert asked.reply_to
    assert asked.request_id


class NoTracer:
    """Nothing is drawn to be traced."""

    def start(self, name: str, kind: Kind, parent: str | None) -> Span:
        raise AssertionError("a request was traced")

    def close(self) -> None:
        """Holds nothing."""


async def test_where_the_gateway_traces_no_client_has_its_message_sampled(
    broker: MemoryBroker, warehouse: Warehouse
) -> None:
    async with served(gateway_on(broker, traces=RequestTraces(NoTracer(), 0.0, lambda: 0.5))) as client:
        await order(client, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    [asked] = warehouse.taken
    assert asked.traceparent == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.mark.parametrize("echoes", [True, False], ids=["with the request id", "known by the message alone"])
@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        ("accepted", 204, ""),
        ("listed", 201, '{"order":"o-1","message":"%s"}'),
        ("too_expensive", 403, '{"status":403,"detail":"Not enough money."}'),
        ("conflict", 409, '{"status":409,"detail":"Another body has this key."}'),
        ("unavailable", 503, '{"status":503,"detail":""}'),
    ],
)
async def test_each_word_has_its_answer(
    client: httpx.AsyncClient, warehouse: Warehouse, echoes: bool, word: str, status: int, said: str
) -> None:
    warehouse.word, warehouse.echoes = word, echoes
    answer = await order(client)
    assert (answer.status_code, answer.text) == (status, said.replace("%s", warehouse.taken[0].id))
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["proxy-status"] == "strangler"
    assert answer.headers.get("retry-after") == ("7" if word == "unavailable" else None)


@pytest.mark.parametrize(
    ("sent", "statuses", "messages", "requests"),
    [
        ([("ada", ARTICLE, "key-1"), ("ada", ARTICLE, '"key-1"'), ("ada", ARTICLE, "key-1")], [204, 204, 204], 1, 1),
        ([("ada", ARTICLE, None), ("ada", ARTICLE, None)], [204, 204], 2, 2),
        ([("ada", ARTICLE, "key-1"), ("ada", OTHER, "key-1"), ("ada", ARTICLE, "key-1")], [204, 409, 204], 1, 2),
        ([("ada", ARTICLE, "key-1"), ("bob", ARTICLE, "key-1"), ("ADA", ARTICLE, "key-1")], [204, 204, 204], 3, 3),
    ],
    ids=["a repeat", "without a key", "another body is the consumer's conflict", "another user"],
)
async def test_a_key_names_one_message_of_one_user(
    client: httpx.AsyncClient,
    warehouse: Warehouse,
    sent: list[tuple[str, str, str | None]],
    statuses: list[int],
    messages: int,
    requests: int,
) -> None:
    for (user, article, key), status in zip(sent, statuses, strict=True):
        answer = await order(client, article, user=user, **({"Idempotency-Key": key} if key else {}))
        assert (answer.status_code, answer.headers.get("location")) == (
            status,
            "/orders/o-1" if status == 204 else None,
        )
    assert (len({one.id for one in warehouse.taken}), len({one.request_id for one in warehouse.taken})) == (
        messages,
        requests,
    )
    assert [one.subject for one in warehouse.taken] == [user for user, _, _ in sent]


async def test_no_reply_in_time_is_202_with_the_place_of_the_outcome(
    client: httpx.AsyncClient, gateway: Gateway, warehouse: Warehouse
) -> None:
    hurry(gateway)
    warehouse.word = None
    answer = await order(client, **KEY)
    [asked] = await warehouse.took(1)
    assert (answer.status_code, answer.json()["id"]) == (202, asked.id)
    assert answer.headers["location"] == f"/orders/{asked.id}"


async def test_a_reply_that_was_meant_for_an_earlier_body_is_not_the_answer_to_a_later_one(
    client: httpx.AsyncClient, gateway: Gateway, warehouse: Warehouse
) -> None:
    """A late "accepted" for the first body must not tell the sender of the second that his was accepted."""
    patient = gateway.current.table
    hurry(gateway)
    warehouse.word = None
    assert (await order(client, **KEY)).status_code == 202
    gateway.adopt(patient)
    asking = asyncio.create_task(order(client, OTHER, **KEY))
    first, second = await warehouse.took(2)
    assert (first.id, first.request_id != second.request_id) == (second.id, True)
    await warehouse.reply(first, "accepted")
    await warehouse.reply(second, "conflict")
    assert (await asking).status_code == 409


async def test_all_who_wait_for_the_same_message_are_told(gateway: Gateway, warehouse: Warehouse) -> None:
    waiting = gateway.outside.publishing.waiting
    key = await gateway.outside.publishing.key("gateway.replies")
    asked = Envelope("m", "a.b.v1", {}, datetime.now(UTC), request_id="r", reply_to=key)
    with waiting.place(asked) as one, waiting.place(asked) as other:
        await warehouse.reply(asked, "accepted")
        async with asyncio.timeout(60):
            assert (await one).word == (await other).word == "accepted"
    assert waiting.count == 0


@pytest.mark.parametrize("word", ["sold_out", "", "Accepted"])
async def test_a_word_that_nobody_foresaw_is_202_and_a_line_in_the_log(
    client: httpx.AsyncClient, warehouse: Warehouse, gateway: Gateway, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.word = word
    answer = await order(client)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/orders/{warehouse.taken[0].id}")
    assert [repr(word) in record.message for record in caplog.records if "order-place" in record.message] == [True]
    assert 'strangler_publish_outcomes_total{route="order-place",outcome="(unknown)"} 1' in metrics(gateway)


async def unanswered(
    client: httpx.AsyncClient, warehouse: Warehouse, **fields: str
) -> tuple[asyncio.Task[httpx.Response], Envelope]:
    """An order that the warehouse has and does not answer by itself."""
    warehouse.word = None
    asking = asyncio.create_task(order(client, **fields))
    [asked] = await warehouse.took(1)
    return asking, asked


@pytest.mark.parametrize("word", [None, 7, ["accepted"]])
async def test_a_reply_without_a_word_is_told_of_and_answers_nobody(
    client: httpx.AsyncClient, warehouse: Warehouse, word: object, caplog: pytest.LogCaptureFixture
) -> None:
    asking, asked = await unanswered(client, warehouse)
    await warehouse.reply(asked, word)
    await warehouse.reply(asked, "accepted")
    assert (await asking).status_code == 204
    assert any("cannot be read" in record.message for record in caplog.records)


async def test_a_forged_reply_reaches_nobody(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    """Whoever may write in the exchange of replies still has to know the message and its request."""
    asking, asked = await unanswered(client, warehouse, **KEY)
    for forged in (replace(asked, id="another"), replace(asked, request_id="another")):
        await warehouse.reply(forged, "too_expensive")
    await warehouse.reply(asked, "accepted")
    assert (await asking).status_code == 204


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        (b"{", {}, 400),
        (json.dumps({"articleId": ARTICLE, "userId": "mallory"}).encode(), {}, 400),
        (GOOD, {"Idempotency-Key": "a b"}, 400),
        (GOOD, {"Idempotency-Key": ""}, 400),
        (GOOD, {"Content-Type": "text/plain"}, 415),
        (GOOD, {"Content-Encoding": "gzip"}, 415),
        (b" " * 2049, {}, 413),
    ],
)
async def test_what_cannot_become_a_message_is_refused_and_nothing_is_sent(
    client: httpx.AsyncClient, warehouse: Warehouse, content: bytes, fields: dict[str, str], status: int
) -> None:
    headers = {**bearer(), "Content-Type": "application/json", **fields}
    answer = await client.post("/orders", content=content, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await order(client)).status_code == 204
    assert len(warehouse.taken) == 1


@pytest.mark.parametrize(
    "more", [{"a": "\ud800"}, {"a": [{"b": "\udfff"}]}, {"\ud800": 1}], ids=["text", "inside", "name"]
)
async def test_what_is_no_text_deep_inside_is_400_too(client: httpx.AsyncClient, more: dict[str, Any]) -> None:
    content, headers = json.dumps({"more": more}).encode(), {**bearer(), "Content-Type": "application/json"}
    assert (await client.post("/loose", content=content, headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"X-User": "ada", "X-Roles": "buyer"}, 401),
        (bearer("ada", "guest"), 403),
    ],
)
async def test_who_may_not_is_refused_by_the_gateway_in_its_own_shape(
    client: httpx.AsyncClient, gateway: Gateway, warehouse: Warehouse, fields: dict[str, str], status: int
) -> None:
    answer = await client.post("/orders", json={"articleId": ARTICLE}, headers=fields)
    assert (answer.status_code, answer.json()["status"], warehouse.taken) == (status, status, [])
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert answer.headers["access-control-allow-origin"] == "*"
    now_asking(gateway, Provider(Identity(AuthenticationOutcome.USER, None, ("buyer",))))  # without a name
    answer = await client.post("/orders", json={"articleId": ARTICLE})
    assert (answer.status_code, answer.headers["www-authenticate"], warehouse.taken) == (401, "Bearer", [])


async def test_a_preflight_ends_here_without_a_user(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/orders", headers=asked)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, "POST, OPTIONS", b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert warehouse.taken == []


class Broken(MemoryBroker):
    """Its publishes fail as the test says."""

    replies_error: Exception | None = None
    hangs: asyncio.Event | None = None

    async def publish(self, exchange: str, envelope: Envelope, **more: Any) -> None:
        await super().publish(exchange, envelope, **more)
        if self.hangs is not None:
            await self.hangs.wait()

    async def replies(self, exchange: str, handler: Handler) -> str:
        if self.replies_error is not None:
            raise self.replies_error
        return await super().replies(exchange, handler)


def metrics(gateway: Gateway) -> str:
    return rendered(*request_metrics(gateway.outside.stats, gateway.current.table))


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault.UNCONFIRMED, "not known"), (Fault.UNAVAILABLE, "not known"), (Fault.REFUSE, "was not accepted")],
)
async def test_what_the_broker_does_not_confirm_is_503_and_may_be_sent_again(
    client: httpx.AsyncClient,
    gateway: Gateway,
    broker: MemoryBroker,
    warehouse: Warehouse,
    fault: Fault,
    said: str,
) -> None:
    broker.faults.append(fault)
    answer = await order(client, **KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert said in answer.json()["detail"]
    assert gateway.outside.publishing.waiting.count == 0
    assert (await order(client, **KEY)).status_code == 204
    assert len({one.id for one in warehouse.taken}) == 1


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), Unroutable("no such exchange")])
async def test_without_a_queue_of_replies_nothing_is_sent_and_it_is_tried_anew(
    warehouse: Warehouse, broker: MemoryBroker, error: Exception
) -> None:
    broken = Broken(memory=broker.memory)
    broken.replies_error = error
    async with served(gateway_on(broken)) as client:
        answer = await order(client)
        assert (answer.status_code, "was not accepted" in answer.json()["detail"]) == (503, True)
        assert warehouse.taken == []
        broken.replies_error = None
        assert (await order(client)).status_code == 204


async def test_who_asked_first_for_the_queue_of_replies_may_leave() -> None:
    asked, go = 0, asyncio.Event()

    class Slow(MemoryBroker):
        async def replies(self, exchange: str, handler: Handler) -> str:
            nonlocal asked
            asked += 1
            await go.wait()
            return await super().replies(exchange, handler)

    publishing = Publishing(Slow())
    first, second = (asyncio.create_task(publishing.key("gateway.replies")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    go.set()
    assert (bool(await second), asked) == (True, 1)
    await publishing.aclose()


async def test_a_gateway_that_ends_leaves_no_queue_of_replies(warehouse: Warehouse, broker: MemoryBroker) -> None:
    def replies() -> list[str]:
        return [name for name in broker.memory.lines if name.startswith("gateway.replies")]

    async with served(gateway_on(broker)) as client:
        assert (await order(client)).status_code == 204
        assert len(replies()) == 1
    assert replies() == []


class Silent(MemoryBroker):
    """Confirms nothing."""

    async def publish(self, exchange: str, envelope: Envelope, *, timeout_s: float = 5.0, **_: Any) -> None:
        assert timeout_s <= 0.3
        await asyncio.sleep(timeout_s)
        raise BrokerUnavailable("no confirm")


class Hanging(MemoryBroker):
    """Gives no queue of replies."""

    async def replies(self, exchange: str, handler: Handler) -> str:
        await asyncio.Event().wait()
        return ""


@pytest.mark.parametrize(
    ("kind", "path", "reason", "said", "logged"),
    [
        (MemoryBroker, "/loose", "refused", "was not accepted", "publish of loose"),
        (Silent, "/orders", "unconfirmed", "not known", ""),
        (Hanging, "/orders", "unsent", "was not accepted", ""),
        (lambda: None, "/orders", "unsent", "was not accepted", "set STRANGLER_BROKER_URL"),
    ],
    ids=["an unroutable message", "no confirm in time", "no queue of replies in time", "no broker"],
)
async def test_a_broker_that_does_not_take_a_message_is_503_and_counted(
    kind: Callable[[], MemoryBroker | None],
    path: str,
    reason: str,
    said: str,
    logged: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway = gateway_on(kind(), CONFIRM_S="0.3")
    body: dict[str, object] = {"more": {}} if path == "/loose" else {"articleId": ARTICLE}
    async with served(gateway) as client, asyncio.timeout(60):
        answer = await client.post(path, json=body, headers=bearer())
    assert (answer.status_code, answer.headers["retry-after"], said in answer.json()["detail"]) == (503, "5", True)
    assert f'{{route="{"loose" if path == "/loose" else "order-place"}",reason="{reason}"}} 1' in metrics(gateway)
    assert [one.levelname for one in caplog.records if logged and logged in one.message] == ["WARNING"] * bool(logged)


async def test_so_many_wait_and_no_more(warehouse: Warehouse, broker: MemoryBroker) -> None:
    warehouse.held = asyncio.Event()
    gateway = gateway_on(broker, max_waiting=2)
    async with served(gateway) as client:
        asking = [asyncio.create_task(order(client, user=user)) for user in ("ada", "bob")]
        await warehouse.took(2)
        refused = await order(client, user="eve")
        assert (refused.status_code, refused.headers["retry-after"], len(warehouse.taken)) == (503, "1", 2)
        warehouse.held.set()
        assert [(await one).status_code for one in asking] == [204, 204]
        assert (await order(client, user="eve")).status_code == 204
    assert gateway.outside.publishing.waiting.count == 0
    assert 'reason="busy"} 1' in metrics(gateway)


async def test_each_replica_hears_the_answer_to_what_it_was_asked(warehouse: Warehouse, broker: MemoryBroker) -> None:
    async with (
        served(gateway_on(broker)) as one,
        served(gateway_on(broker.sibling())) as other,
    ):
        answers = await asyncio.gather(*(order(client, **KEY) for client in (one, other)))
    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(204, "/orders/o-1")] * 2
    assert len({asked.id for asked in warehouse.taken}) == 1
    assert len({asked.reply_to for asked in warehouse.taken}) == 2


async def test_a_reply_may_come_before_the_confirm(warehouse: Warehouse, broker: MemoryBroker) -> None:
    broken = Broken(memory=broker.memory)
    broken.hangs = asyncio.Event()
    gateway = gateway_on(broken)
    async with served(gateway) as client:
        asking = asyncio.create_task(order(client))
        await warehouse.took(1)
        broken.hangs.set()
        assert (await asking).status_code == 204


async def test_a_client_that_leaves_before_its_body_is_whole_sends_nothing(
    client: httpx.AsyncClient, gateway: Gateway, warehouse: Warehouse
) -> None:
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    head = "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\nContent-Type: application/json\r\nAuthorization: "
    writer.write(head.encode() + bearer()["Authorization"].encode() + b'\r\n\r\n{"articleId"')
    await writer.drain()
    writer.close()
    async with asyncio.timeout(60):
        while not gateway.outside.stats.route("order-place").client_gone:
            await asyncio.sleep(0.005)
    assert warehouse.taken == []


async def test_one_user_writes_one_after_the_other_where_the_group_says_so(
    client: httpx.AsyncClient, warehouse: Warehouse
) -> None:
    warehouse.held = asyncio.Event()
    asking = [asyncio.create_task(order(client)), asyncio.create_task(order(client))]
    other = asyncio.create_task(order(client, user="bob"))
    await warehouse.took(2)
    assert {one.subject for one in warehouse.taken} == {"ada", "bob"}
    warehouse.held.set()
    assert [(await one).status_code for one in (*asking, other)] == [204, 204, 204]


@pytest.mark.parametrize(
    ("state", "statuses"),
    [("legacy", {299}), ("shadow", {299}), ("canary", {204, 299})],
)
async def test_the_state_draws_users_and_a_canary_keeps_them(
    warehouse: Warehouse, broker: MemoryBroker, state: str, statuses: set[int]
) -> None:
    users = [f"user-{n}" for n in range(20)]
    async with (
        origin(lambda _: Answer(299, b"legacy")) as monolith,
        served(gateway_on(broker, monolith.port, STATE=state)) as client,
    ):
        first = [(await order(client, user=user)).status_code for user in users]
        assert [(await order(client, user=user)).status_code for user in users] == first
        assert set(first) == statuses
        assert (await client.post("/orders", json={"articleId": ARTICLE})).status_code == 299
    assert {one.subject for one in warehouse.taken} == {
        u for u, status in zip(users, first, strict=True) if status == 204
    }


async def test_while_nobody_can_say_who_asks_canary_goes_to_the_monolith_and_extracted_is_503(
    warehouse: Warehouse, broker: MemoryBroker
) -> None:
    async with origin(lambda _: Answer(299, b"legacy")) as monolith:
        for state, status in (("canary", 299), ("extracted", 503)):
            gateway = gateway_on(broker.sibling(), monolith.port, STATE=state)
            now_asking(gateway, Provider(live=RuntimeError("away")))
            async with served(gateway) as client:
                assert (await order(client)).status_code == status
    assert warehouse.taken == []


@pytest.mark.parametrize(("state", "side"), [("canary", None), ("extracted", "legacy"), ("retired", "legacy")])
async def test_the_debug_credential_chooses_the_side_where_both_still_answer(
    warehouse: Warehouse, broker: MemoryBroker, state: str, side: str | None
) -> None:
    async with origin(lambda _: Answer(299, b"legacy")) as monolith:
        gateway = gateway_on(broker, monolith.port, STATE=state, debug_token="debug")
        async with served(gateway) as client:
            debug = {"Strangler-Debug": "debug", "Strangler-Override": side or "extracted"}
            answer = await order(client, user="user-1", **debug)
    told = "extracted; state_retired" if state == "retired" else f"{side or 'extracted'}; override"
    assert answer.headers["strangler-decision"] == f"{told}; order-place"
    assert len(warehouse.taken) == (answer.status_code == 204)


async def test_it_is_counted_and_timed(client: httpx.AsyncClient, gateway: Gateway, warehouse: Warehouse) -> None:
    await order(client)
    hurry(gateway)
    warehouse.word = None
    await order(client)
    await client.post("/orders", json={}, headers=bearer())
    lines = metrics(gateway)
    for line in (
        'strangler_published_total{route="order-place"} 2',
        'strangler_publish_failures_total{route="order-place",reason="invalid"} 1',
        'strangler_publish_outcomes_total{route="order-place",outcome="accepted"} 1',
        'strangler_publish_outcomes_total{route="order-place",outcome="(none)"} 1',
        'strangler_publish_confirm_seconds_count{route="order-place"} 2',
        'strangler_publish_reply_seconds_bucket{route="order-place",le="+Inf"} 1',
        'strangler_requests_total{route="order-place",side="extracted",status="204"} 1',
    ):
        assert line + "\n" in lines
