"""When the ingress says 250, and when it does not: the store away, mails repeated, the process stopping."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chassis.store import StoreUnavailable
from extracted.mailer.domain import Raw
from extracted.mailer.smtp_in.endpoint import IngressEndpoint, IngressLimits
from extracted.mailer.smtp_in.server import IngressServer
from extracted.mailer.smtp_in.submission import keys
from tests.unit.extracted.mailer.databases import kept, on_sqlite
from tests.unit.extracted.mailer.smtp_in.ingress_client import MESSAGE, TIMEOUT_S, Listened, Shelf, Wire, listened


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Listened]:
    async with listened(tmp_path, IngressLimits(retry_s=0.02)) as running:
        yield running


async def sent(wire: Wire, content: bytes = MESSAGE) -> "asyncio.Task[str]":
    """The reply to a mail that is handed over whole, but not answered yet."""
    await wire.enveloped()
    await wire.say("DATA")
    await wire.send(content + b".\r\n")
    return asyncio.create_task(wire.reply())


async def called(shelf: Shelf, times: int = 1) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while shelf.calls < times:
            await asyncio.sleep(0.01)


async def test_nothing_is_said_before_the_rows_are_there_however_long_the_store_is_away(ingress: Listened) -> None:
    ingress.shelf.gate.clear()
    reply = await sent(await ingress.greeted())
    await called(ingress.shelf)
    assert not reply.done()
    ingress.shelf.is_away = True
    ingress.shelf.gate.set()
    await called(ingress.shelf, 3)
    assert not reply.done()
    assert await ingress.shelf.recipients() == []
    ingress.shelf.is_away = False
    assert (await reply).startswith("250 ")
    assert await ingress.shelf.recipients() == ["b@example.org"]


async def test_what_comes_ahead_of_a_reply_waits_in_the_client(ingress: Listened) -> None:
    ingress.shelf.gate.clear()
    wire = await ingress.greeted()
    reply = await sent(wire)
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            for _ in range(200):
                await wire.send(b"x" * 100_000)
    [connection] = ingress.ingress.connections
    assert len(connection.pending) < 1_000_000
    ingress.shelf.gate.set()
    assert (await reply).startswith("250 ")


async def test_a_store_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with listened(tmp_path, IngressLimits(hold_s=1, retry_s=0.05, store_s=0.2)) as ingress:
        ingress.shelf.gate.clear()
        reply = await (await ingress.greeted()).mail()
        assert reply == "451 4.3.0 The mail cannot be kept now; try again later"
        assert await ingress.shelf.recipients() == []


async def test_a_failure_nobody_expected_is_a_451_and_the_repetition_is_one_mail(ingress: Listened) -> None:
    """Kept, but not answered: as when the process dies between the two."""
    ingress.shelf.failure = RuntimeError("after the commit")
    wire = await ingress.greeted()
    with capture_logs() as lines:
        assert await wire.mail() == "451 4.3.0 The mail could not be kept; try again later"
    assert [line["log_level"] for line in lines] == ["error"]
    ingress.shelf.failure = None
    assert (await wire.mail()).startswith("250 ")
    assert await ingress.shelf.recipients() == ["b@example.org"]


async def test_a_repeated_mail_is_the_same_mail_however_late_it_comes(ingress: Listened) -> None:
    wire = await ingress.greeted()
    first = await wire.mail()
    for hours in (0, 23, 2, 24 * 30):
        ingress.shelf.kept.clock.after(hours=hours)
        assert await (await ingress.greeted()).mail() == first
    assert await ingress.shelf.recipients() == ["b@example.org"]


async def test_mails_of_other_content_or_without_a_message_id_are_never_the_same(ingress: Listened) -> None:
    wire = await ingress.greeted()
    with capture_logs() as lines:
        for content in (MESSAGE, MESSAGE + b"More\r\n"):
            assert (await wire.mail(content)).startswith("250 ")
    assert len(await ingress.shelf.recipients()) == 2
    assert len({line["message_id_sha256"] for line in lines}) == 1
    assert len({line["content_sha256"] for line in lines}) == 2
    for _ in range(2):
        assert (await wire.mail(b"Subject: x\r\n\r\n")).startswith("250 ")
    assert len(await ingress.shelf.recipients()) == 4


async def test_a_mail_without_a_message_id_that_is_tried_again_inside_is_one_mail(ingress: Listened) -> None:
    ingress.shelf.failure = StoreUnavailable("the connection broke at the commit")
    reply = await sent(await ingress.greeted(), b"Subject: x\r\n\r\n")
    await called(ingress.shelf, 3)
    ingress.shelf.failure = None
    assert (await reply).startswith("250 ")
    assert len(await ingress.shelf.recipients()) == 1


def test_a_key_tells_message_sender_recipient_and_content_apart() -> None:
    base = Raw("a@x", b"1", "<1@x>")
    others = [Raw("b@x", b"1", "<1@x>"), Raw("a@x", b"2", "<1@x>"), Raw("a@x", b"1", "<2@x>"), Raw("", b"1", "<1@x>")]
    made = [key for raw in (base, *others) for key in keys(raw, ["b@x", "c@x"]).values()]
    assert len(set(made)) == len(made) == 10
    assert keys(base, ["b@x"]) == keys(base, ["b@x"])
    assert all(key.startswith("smtp:") for key in made)


async def test_when_it_stops_a_message_under_way_is_finished_and_nothing_else_is_begun(tmp_path: Path) -> None:
    async with kept(on_sqlite(tmp_path)) as store:
        shelf = Shelf(store)
        ingress = IngressServer(IngressEndpoint("127.0.0.1", 0), shelf, store.clock)
        running = ingress.running()
        await running.__aenter__()
        listening = Listened(ingress, shelf)
        idle, busy = await listening.greeted(), await (await listening.greeted()).enveloped()
        await busy.say("DATA")
        await busy.send(MESSAGE[:20])
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        assert await idle.reply() == "421 4.3.2 The server is going down; try again later"
        assert await idle.has_ended()
        with pytest.raises(ConnectionError):
            await listening.connect()
        assert not stopping.done()
        await busy.send(MESSAGE[20:] + b".\r\n")
        assert (await busy.reply()).startswith("250 ")
        assert (await busy.reply()).startswith("421 4.3.2 ")
        await stopping
        assert await shelf.contents() == [MESSAGE]
        for wire in (idle, busy):
            wire.writer.close()


async def test_it_stops_within_its_grace_and_cuts_what_is_under_way_then(tmp_path: Path) -> None:
    async with kept(on_sqlite(tmp_path)) as store:
        shelf = Shelf(store)
        ingress = IngressServer(IngressEndpoint("127.0.0.1", 0, limits=IngressLimits(grace_s=0.2)), shelf, store.clock)
        async with asyncio.timeout(5):
            async with ingress.running():
                wire = await (await Listened(ingress, shelf).greeted()).enveloped()
                await wire.say("DATA")
            assert ingress.connections == set()
            assert await wire.has_ended()
        wire.writer.close()
        assert await shelf.contents() == []
