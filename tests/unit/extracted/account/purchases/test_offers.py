"""The one call to Shop, over a real connection: what counts as an answer, and what as a shop that is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chassis.auth.service_credentials import SharedToken
from chassis.messaging.envelope import new_id
from extracted.account.purchases.domain.purchase import Item, Offer
from extracted.account.purchases.offers import HttpOffers
from extracted.account.purchases.ports import OfferUnavailable

TOKEN = "a-token-of-the-test"
USER, ITEM = new_id(), new_id()
OFFERED: dict[str, Any] = {
    "item": {"id": ITEM, "cost": 1.5, "type": "hint", "data": {"text": "é"}},
    "transactionId": None,
}
SOLD = [OFFERED]


@dataclass
class Stub:
    """Answers each connection by `answer`: the number of the request, from 0, and the writer."""

    answer: Callable[[int, asyncio.StreamWriter], bool]
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                if not self.answer(len(self.heads) - 1, writer):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def response(status: int, body: object) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nSet-Cookie: a=b\r\nContent-Length: %d\r\n\r\n%s" % (status, len(content), content)


def sending(sent: bytes, keeps: bool = True) -> Callable[[int, asyncio.StreamWriter], bool]:
    def answer(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(sent)
        return keeps

    return answer


def always(status: int, body: object) -> Callable[[int, asyncio.StreamWriter], bool]:
    return sending(response(status, body))


@asynccontextmanager
async def asking(stub: Stub, timeout_s: float = 3.0) -> AsyncIterator[HttpOffers]:
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    offers = HttpOffers(
        f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", SharedToken(TOKEN), timeout_s=timeout_s
    )
    yield offers
    await offers.aclose()
    server.close()


async def test_an_offer_is_read_and_the_connection_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    stub = Stub(always(200, SOLD))
    async with asking(stub) as offers:
        for _ in range(3):
            assert await offers.find(USER, ITEM) == Offer(Item(ITEM, 1.5, "hint", {"text": "é"}), None)
    assert stub.connections == 1
    assert {head.splitlines()[0] for head in stub.heads} == {f"GET /internal/offers?user={USER}&item={ITEM} HTTP/1.1"}
    assert all(f"authorization: bearer {TOKEN}" in head.lower() for head in stub.heads)
    assert not any("cookie" in head.lower() for head in stub.heads)


async def test_a_live_row_and_nulls_are_read() -> None:
    row, bare = new_id(), {"id": ITEM, "cost": None, "type": None, "data": None}
    async with asking(Stub(always(200, [{"item": bare, "transactionId": row}]))) as offers:
        assert await offers.find(USER, ITEM) == Offer(Item(ITEM, None, None, None), row)


async def test_an_unknown_item_is_none_and_an_odd_id_asks_nobody() -> None:
    stub = Stub(always(200, [None]))
    async with asking(stub) as offers:
        assert [await offers.find(USER, item) for item in (ITEM, "abc", "../..", "")] == [None] * 4
    assert len(stub.heads) == 1


AWAY: dict[str, bytes] = {
    "the store of the shop is away": response(503, {"error": "away"}),
    "the token is wrong": response(401, {"error": "wrong"}),
    "there is no such route": response(404, {"statusCode": 404, "message": "Cannot GET", "error": "Not Found"}),
    "another server's 404": response(404, b"<html>"),
    "a redirect": response(302, {}),
    "no JSON": response(200, b"{"),
    "no list": response(200, OFFERED),
    "no object": response(200, [[]]),
    "two for one": response(200, [OFFERED, OFFERED]),
    "no item": response(200, [{"transactionId": None}]),
    "a cost that is no number": response(200, [{"item": {"id": ITEM, "cost": "5"}}]),
    "a cost that is true": response(200, [{"item": {"id": ITEM, "cost": True}}]),
    "a cost beyond what a double holds": response(200, b'[{"item": {"id": "x", "cost": 1e999}}]'),
    "data that are no object": response(200, [{"item": {"id": ITEM, "cost": 1, "data": []}}]),
    "an odd transaction": response(200, [{"item": {"id": ITEM, "cost": 1}, "transactionId": 5}]),
}
ODD: dict[str, bytes] = {
    "another version": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}",
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-x\r\n\r\n",
    "no end of its head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
}


@pytest.mark.parametrize("kind", [*AWAY, *ODD])
async def test_what_is_no_answer_is_a_shop_that_is_away(kind: str) -> None:
    stub = Stub(sending({**AWAY, **ODD}[kind]))
    async with asking(stub) as offers:
        for _ in range(2):
            with pytest.raises(OfferUnavailable):
                await offers.find(USER, ITEM)
    assert stub.connections == (1 if kind in AWAY else 2)  # what our services do not write ends a connection


async def test_a_shop_that_does_not_listen_is_away() -> None:
    offers = HttpOffers("http://127.0.0.1:1", SharedToken(TOKEN))
    with pytest.raises(OfferUnavailable, match="cannot be reached"):
        await offers.find(USER, ITEM)
    await offers.aclose()


@pytest.mark.parametrize(
    ("sent", "keeps", "reason"), [(b"", True, "in time"), (response(200, SOLD)[:-5], False, "cannot be reached")]
)
async def test_a_shop_that_is_silent_or_stops_within_its_answer_is_away(sent: bytes, keeps: bool, reason: str) -> None:
    async with asking(Stub(sending(sent, keeps)), timeout_s=0.1) as offers, asyncio.timeout(5):
        with pytest.raises(OfferUnavailable, match=reason):
            await offers.find(USER, ITEM)


async def test_a_kept_connection_that_was_closed_is_tried_once_more() -> None:
    def one_each(number: int, writer: asyncio.StreamWriter) -> bool:
        if number == 1:  # on the kept connection: it ends without an answer
            return False
        writer.write(response(200, SOLD))
        return True

    stub = Stub(one_each)
    async with asking(stub) as offers:
        assert await offers.find(USER, ITEM)
        assert await offers.find(USER, ITEM)
    assert (stub.connections, len(stub.heads)) == (2, 3)


async def test_an_answer_that_was_not_waited_for_is_never_another_calls() -> None:
    """A call that was cancelled leaves half an answer: its connection goes."""
    other = [{"item": {"id": new_id(), "cost": 99}, "transactionId": None}]

    def late(number: int, writer: asyncio.StreamWriter) -> bool:
        if number == 0:
            asyncio.get_running_loop().call_later(0.2, writer.write, response(200, other))
        else:
            writer.write(response(200, SOLD))
        return True

    async with asking(Stub(late)) as offers:
        call = asyncio.create_task(offers.find(USER, ITEM))
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        found = [await offers.find(USER, ITEM) for _ in range(2)]
        await asyncio.sleep(0.2)
        found.append(await offers.find(USER, ITEM))
    assert [offer.item.cost for offer in found if offer] == [1.5] * 3


async def test_questions_of_one_moment_are_one_call_and_one_that_fails_spoils_no_other() -> None:
    """The odd one's answer is a 500, alone as among others."""
    odd, calls = new_id(), list[int]()

    def answer(_number: int, writer: asyncio.StreamWriter) -> bool:
        asked = parse_qsl(stub.heads[-1].split(" ")[1].partition("?")[2])
        items = [value for name, value in asked if name == "item"]
        calls.append(len(items))
        offered = [{**OFFERED, "item": {**OFFERED["item"], "id": item}} for item in items]
        writer.write(response(500, {}) if odd in items else response(200, offered))
        return True

    stub = Stub(answer)
    async with asking(stub) as offers:
        items = [new_id() for _ in range(60)]
        found = await asyncio.gather(*(offers.find(USER, item) for item in items))
        assert [offer.item.id for offer in found if offer] == items
        assert calls == [50, 10]
        three = await asyncio.gather(*(offers.find(USER, one) for one in (*items[:2], odd)), return_exceptions=True)
    assert isinstance(three[-1], OfferUnavailable)
    assert [offer.item.id for offer in three if isinstance(offer, Offer)] == items[:2]


async def test_a_connection_that_announces_its_end_is_not_used_again() -> None:
    stub = Stub(sending(response(200, SOLD).replace(b"Set-Cookie: a=b", b"Connection: close"), keeps=False))
    async with asking(stub) as offers:
        assert [bool(await offers.find(USER, ITEM)) for _ in range(3)] == [True] * 3
    assert stub.connections == 3


async def test_a_shop_is_asked_whether_it_is_ready() -> None:
    stub = Stub(lambda number, writer: always((200, 503)[number], {})(number, writer))
    async with asking(stub) as offers:
        await offers.ping()
        with pytest.raises(OfferUnavailable, match="not ready"):
            await offers.ping()
    assert stub.heads[0].startswith("GET /health/ready HTTP/1.1\r\n")
