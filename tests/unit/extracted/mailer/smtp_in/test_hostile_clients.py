"""Clients of the ingress that are none, or want more than their share: bounded, answered in one sentence, survived."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from extracted.mailer.smtp_in.endpoint import IngressLimits
from extracted.mailer.smtp_in.incoming_message import BufferBudget, Endless, IncomingMessage
from tests.support.effort import examples
from tests.unit.extracted.mailer.smtp_in.ingress_client import MESSAGE, Listened, Wire, listened

SIZE = 64 * 1024
INNER = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nA: b\r\n\r\nsmuggled\r\n.\r\n"
BARE = "554 5.6.0 The message has a bare CR or a bare LF; end each line with CR LF"
AHEAD = "554 5.5.0 More was sent before the reply; wait for each one (PIPELINING is not offered)"


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Listened]:
    async with listened(tmp_path, IngressLimits(size=SIZE, commands=30)) as running:
        yield running


ENDS = b"\n.\r\n", b"\r.\r\n", b"\n.\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r", b"\r\n.\r\r\n"
LINES = b"a: b\r\n\r\nx\ny\r\n", b"a: b\r\n\r\nx\ry\r\n", b"a: b\n\nx\r\n", b"\n\r\n", b"a\r\r\n"
OUTER = b"Message-ID: <1@x>\r\n\r\nouter%b" + INNER[:-3]


@pytest.mark.parametrize("content", [*(OUTER % end for end in ENDS), *LINES])
async def test_nothing_but_crlf_dot_crlf_ends_a_message_and_one_with_bare_line_ends_is_refused(
    ingress: Listened, content: bytes
) -> None:
    wire = await ingress.greeted()
    assert await wire.mail(content) == BARE
    assert await ingress.shelf.recipients() == []
    assert (await wire.mail(OUTER % b"\r\n\x00.\r\n")).startswith("250 ")
    assert await ingress.shelf.recipients() == ["b@example.org"]


@pytest.mark.parametrize("extra", [1, 70_000])
async def test_a_line_that_is_too_long_for_mail_is_refused(tmp_path: Path, extra: int) -> None:
    async with listened(tmp_path, IngressLimits(size=SIZE * 4)) as ingress:
        wire = await ingress.greeted()
        long = b"x" * (998 + extra) + b"\r\n"
        for content in (long, b"a: b\r\n\r\n" + b"y\r\n" * 2000 + long + b"z\r\n" * 2000):
            assert (await wire.mail(content)).startswith("500 5.6.0 A line of the message is longer than 998 bytes")
        assert await ingress.shelf.recipients() == []


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 7])
async def test_a_message_ends_where_it_ends_however_it_is_cut_and_what_follows_is_no_part_of_it(
    ingress: Listened, cut: int
) -> None:
    content = b"a: b\r\n\r\n\r\n\r\n.\r\n\r\n..\r\n\r\n"
    wire = await ingress.under_way()
    stuffed = content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    for start in range(0, len(stuffed), cut):
        await wire.send(stuffed[start : start + cut])
        await asyncio.sleep(0)
    assert (await wire.reply()).startswith("250 ")
    await wire.enveloped()
    await wire.say("DATA")
    await wire.send(stuffed + b"QUIT\r\n")
    assert (await wire.reply()).startswith("250 ")
    await wire.ends("221 ")
    assert await ingress.shelf.contents() == [content, content]


async def test_who_sends_commands_ahead_is_hung_up_on_and_none_of_it_is_done(ingress: Listened) -> None:
    for ahead in (b"MAIL FROM:<a@example.org>\r\n" + INNER, b"EHLO x\r\n" + INNER, b"NOOP\r\nNOOP\r\n", b"NOOP\r\nN"):
        wire = await ingress.greeted()
        await wire.send(ahead)
        await wire.ends(AHEAD)
    assert await ingress.shelf.recipients() == []


@pytest.mark.parametrize("pieces", [[b"DATA\r\n" + MESSAGE + b".\r\n"], [b"DATA\r\n", MESSAGE + b".\r\n"]])
async def test_a_message_that_does_not_wait_for_the_354_is_no_message(ingress: Listened, pieces: list[bytes]) -> None:
    wire = await ingress.enveloped()
    ingress.receive(wire, *pieces)
    assert AHEAD in (await wire.reply(), await wire.reply())
    assert await wire.has_ended()
    assert await ingress.shelf.recipients() == []


async def test_a_page_of_a_browser_is_no_client(ingress: Listened) -> None:
    wire = await ingress.connect()
    await wire.reply()
    await wire.send(b"POST / HTTP/1.1\r\nHost: mailer\r\n\r\nEHLO x\r\n" + INNER)
    await wire.ends("421 4.7.0 This is a mail server, not a web server")


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\x00", b"NOOP \r", b"\xff\xfe", b"EHLO \xc3\xa9", b"N\tOOP x", b"RCPT TO:<\xff@x>", b"NOOP " + b"x" * 508,
        b"\x7f", b"",
    ],
)  # fmt: skip
async def test_a_line_that_is_no_command_is_refused(ingress: Listened, line: bytes) -> None:
    wire = await ingress.greeted()
    assert (await wire.say(line)).startswith("500 ")
    assert (await wire.mail()).startswith("250 ")


async def test_a_command_ends_in_crlf_and_one_without_end_is_hung_up_on(ingress: Listened) -> None:
    wire = await ingress.greeted()
    await wire.send(b"MAIL FROM:<a@example.org>\n")
    assert await wire.reply() == "500 5.5.2 The line ends in a bare LF; wanted CR LF"
    assert (await wire.say("RCPT TO:<b@example.org>")).startswith("503 ")
    with suppress(ConnectionError):
        await wire.send(b"x" * 1_000_000)
    with suppress(ConnectionError):
        assert (await wire.reply())[:3] in ("500", "")


async def test_unknown_commands_end_the_session_and_so_do_many_without_a_mail(ingress: Listened) -> None:
    wire = await ingress.greeted()
    assert [(await wire.say(f"X{n}"))[:3] for n in range(5)] == ["500"] * 4 + ["421"]
    assert await wire.has_ended()
    wire = await ingress.greeted()
    for number in range(3):
        for _ in range(20):
            await wire.say("NOOP")
        assert (await wire.mail(MESSAGE.replace(b"<1@", b"<%d@" % number))).startswith("250 ")
    said = [await wire.say("NOOP") for _ in range(31)]
    assert said == ["250 OK"] * 30 + ["421 4.7.0 Too many commands without a mail"]
    assert await wire.has_ended()


@pytest.mark.walk
async def test_a_message_without_end_is_hung_up_on(ingress: Listened) -> None:
    wire = await ingress.under_way()
    began = monotonic()
    with suppress(ConnectionError):
        while monotonic() - began < 60:
            await wire.send(b"x" * SIZE)
            await asyncio.sleep(0.005)  # faster would show nothing more
    assert monotonic() - began < 60
    assert ingress.ingress.budget.used == 0
    assert await ingress.shelf.recipients() == []


async def test_all_messages_together_have_so_much_room_and_no_more(tmp_path: Path) -> None:
    async with listened(tmp_path, IngressLimits(size=400_000, buffered=400_000)) as ingress:
        first, second = [await ingress.enveloped() for _ in range(2)]
        lines = b"x" * 98 + b"\r\n"
        await first.say("DATA")
        await first.send(b"Message-ID: <1@x>\r\n\r\n" + lines * 3000)
        async with asyncio.timeout(60):
            while ingress.ingress.budget.used < 150_000:
                await asyncio.sleep(0.01)
        assert (await second.data(b"a: b\r\n\r\n" + lines * 3000)).startswith("452 4.3.1 ")
        await first.send(b".\r\n")
        assert (await first.reply()).startswith("250 ")
        assert (await second.mail(b"a: b\r\n\r\n" + lines * 3000)).startswith("250 ")
        assert ingress.ingress.budget.used == 0


def test_a_message_uses_the_budget_and_gives_it_back() -> None:
    budget = BufferBudget(10_000)
    message = IncomingMessage(4000, budget)
    assert message.feed(b"x" * 3000) is None
    assert 2990 < budget.used <= 3002
    message.feed(b"x" * 3000)
    assert (budget.used, message.refusal) == (0, "552 5.3.4 The message is larger than 4000 bytes")
    with pytest.raises(Endless):
        message.feed(b"x" * 70_000)
    message = IncomingMessage(4000, budget)
    message.feed(b"x" * 3000)
    message.discard()
    assert budget.used == 0


async def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    async with listened(tmp_path, IngressLimits(connections=3)) as ingress:
        wires = [await ingress.greeted() for _ in range(3)]
        for _ in range(5):
            await (await ingress.connect()).ends("421 4.7.0 Too many connections; try again later")
        assert await wires[0].say("QUIT") == "221 2.0.0 Bye"
        assert await wires[0].has_ended()
        assert (await (await ingress.greeted()).mail()).startswith("250 ")


@pytest.mark.parametrize(
    ("limits", "drop", "told"),
    [
        (IngressLimits(idle_s=0.4), b"x", "421 4.4.2 Nothing came"),
        (IngressLimits(data_s=0.4), b"x\r\n", "421 4.4.2 The message took more than 0.4 s"),
    ],
    ids=["a command", "a message"],
)
async def test_who_drips_is_hung_up_on_and_nothing_is_kept(
    tmp_path: Path, limits: IngressLimits, drop: bytes, told: str
) -> None:
    async with listened(tmp_path, limits) as ingress:
        wire = await (ingress.greeted() if drop == b"x" else ingress.under_way())
        began = monotonic()
        assert (await dripped(wire, drop)).startswith(told)
        assert monotonic() - began < 60
        assert await ingress.shelf.recipients() == []


async def dripped(wire: Wire, drop: bytes) -> str:
    """What is said to a client that sends a bit every 20 ms."""

    async def drip() -> None:
        with suppress(ConnectionError):
            while True:
                await wire.send(drop)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        return await wire.reply()
    finally:
        dripping.cancel()


async def test_a_session_ends_after_its_time_however_busy_it_is(tmp_path: Path) -> None:
    async with listened(tmp_path, IngressLimits(session_s=0.5, commands=1_000_000)) as ingress:
        wire, said = await ingress.greeted(), "250 OK"
        while said == "250 OK":
            said = await wire.say("NOOP")
        assert said == "421 4.4.2 The session has lasted too long; connect again"


async def test_a_session_that_ends_finishes_the_message_that_is_under_way(tmp_path: Path) -> None:
    async with listened(tmp_path, IngressLimits(session_s=0.3)) as ingress:
        wire = await ingress.under_way()
        await asyncio.sleep(0.5)
        await wire.send(MESSAGE + b".\r\n")
        assert (await wire.reply()).startswith("250 ")
        await wire.ends("421 ")


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    ingress: Listened, caplog: pytest.LogCaptureFixture
) -> None:
    for rest in (b"", b"Message-ID: <1@x>\r\n\r\nhal", MESSAGE, MESSAGE + b"."):
        (await ingress.under_way(rest)).writer.transport.abort()
    async with asyncio.timeout(60):
        while ingress.ingress.connections:
            await asyncio.sleep(0.01)
    assert await ingress.shelf.recipients() == []
    assert [line.message for line in caplog.records if line.levelno >= logging.WARNING] == []


async def test_a_client_that_has_said_all_it_will_still_gets_its_reply(ingress: Listened) -> None:
    wire = await ingress.under_way(MESSAGE + b".\r\n")
    wire.writer.write_eof()
    await wire.ends("250 ")


WORDS = [
    b"EHLO x", b"HELO x", b"MAIL FROM:<a@b.c>", b"RCPT TO:<b@b.c>", b"DATA", b".", b"RSET", b"QUIT", b"AUTH PLAIN",
    b"*", b"STARTTLS", b"\r\n", b"\n", b"\r", b"\r\n.\r\n", b" ", b"\x00", b"\xff\xfe\xfd", b"<", b">", b'"',
    b"SIZE=99", b"BODY=8BITMIME", b"AUTH LOGIN", b"dQ==",
]  # fmt: skip


@pytest.mark.walk
async def test_random_clients_leave_no_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Their mails would go to b@b.c: none of them has read a reply, so none may be taken."""
    chance = random.Random(20261126)
    async with listened(tmp_path, IngressLimits(size=SIZE), login=("u", "secret-of-ours")) as ingress:
        with capture_logs() as lines:
            for _ in range(examples(40)):
                await asyncio.gather(*(scatter(ingress, chance) for _ in range(50)))
        wire = await ingress.greeted()
        assert await wire.say("NOOP") == "250 OK"
        assert await ingress.shelf.recipients() == []
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []


async def scatter(ingress: Listened, chance: random.Random) -> None:
    """Commands, pieces of them and noise, in some order, and then an end of some kind."""
    pieces = [
        chance.choice(WORDS) if chance.random() < 0.7 else chance.randbytes(chance.randrange(200)) for _ in range(20)
    ]
    glue = chance.choice([b"\r\n", b"\n", b"", b" "])
    ending = chance.randrange(3)
    reader, writer = await asyncio.open_connection("127.0.0.1", ingress.port)
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece + glue)
            await writer.drain()
        if ending == 0:
            writer.transport.abort()
        elif ending == 1:
            writer.write_eof()
            await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
