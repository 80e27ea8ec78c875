"""The ingress on a fresh database in the test's own event loop, and clients that say to it what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis.store import StoreUnavailable
from extracted.mailer.domain import CheckedRequest, Mail, Policy, Raw
from extracted.mailer.smtp_in.endpoint import IngressEndpoint, IngressLimits
from extracted.mailer.smtp_in.server import IngressServer
from tests.unit.extracted.mailer.databases import Kept, kept, on_sqlite

TIMEOUT_S = 60
MESSAGE = b"From: a@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: x\r\n\r\nHello\r\n"


@dataclass
class Shelf:
    """A store that can be away, fail, or take its time; what it keeps is in real tables."""

    kept: Kept
    is_away: bool = False
    failure: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def raw(self, key_of: Mapping[str, str], raw: Raw) -> Sequence[Mail]:
        self.calls += 1
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("the database is away")
        mails = await self.kept.mails.add(
            [CheckedRequest(key, recipient, raw, Policy.AT_LEAST_ONCE) for recipient, key in key_of.items()]
        )
        if self.failure is not None:
            raise self.failure
        return mails

    async def recipients(self) -> list[str]:
        return sorted(row["recipient"] for row in await self.kept.rows(self.kept.tables.mails))

    async def senders(self) -> list[str]:
        return [row["sender"] for row in await self.kept.rows(self.kept.tables.mails)]

    async def contents(self) -> list[bytes]:
        return [row["content"] for row in await self.kept.rows(self.kept.tables.contents)]


@dataclass
class Wire:
    """One connection, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> str:
        """The next one whole, its lines joined by `|`; empty: the connection has ended."""
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            async with asyncio.timeout(TIMEOUT_S):
                line = await self.reader.readline()
            if not line:
                return ""
            lines.append(line.decode().removesuffix("\r\n"))
        return "|".join(lines)

    async def say(self, line: str | bytes) -> str:
        """A command with its CRLF, and the reply."""
        await self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def has_ended(self) -> bool:
        """The other side closes, without another word (of what TLS says there is nothing here)."""
        with suppress(ConnectionError):
            async with asyncio.timeout(TIMEOUT_S):
                return not await self.reader.read()
        return True

    async def ends(self, last: str) -> None:
        """After a reply that starts so."""
        assert (await self.reply()).startswith(last)
        assert await self.has_ended()

    async def greeted(self) -> "Wire":
        assert (await self.reply()).startswith("220 ")
        assert (await self.say("EHLO monolith")).startswith("250")
        return self

    async def enveloped(self, *recipients: str, sender: str = "a@example.org") -> "Wire":
        """All before DATA."""
        assert await self.say(f"MAIL FROM:<{sender}>") == "250 2.1.0 OK"
        for recipient in recipients or ("b@example.org",):
            assert await self.say(f"RCPT TO:<{recipient}>") == "250 2.1.5 OK"
        return self

    async def data(self, content: bytes = MESSAGE) -> str:
        """DATA, the content as it is, the end."""
        assert (await self.say("DATA")).startswith("354 ")
        await self.send(content + b".\r\n")
        return await self.reply()

    async def mail(self, content: bytes = MESSAGE, *recipients: str, sender: str = "a@example.org") -> str:
        return await (await self.enveloped(*recipients, sender=sender)).data(content)


@dataclass
class Listened:
    """`shelf`: where its mails go."""

    ingress: IngressServer
    shelf: Shelf
    wires: list[Wire] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.ingress.port

    def receive(self, wire: Wire, *pieces: bytes) -> None:
        """As if these came over this wire, one after the other, before anything else can happen."""
        own = wire.writer.get_extra_info("sockname")
        [connection] = [one for one in self.ingress.connections if one.session is not None and one.session.peer == own]
        for piece in pieces:
            connection.data_received(piece)

    async def connect(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        return wire

    async def greeted(self) -> Wire:
        return await (await self.connect()).greeted()

    async def enveloped(self) -> Wire:
        return await (await self.greeted()).enveloped()

    async def under_way(self, content: bytes = b"") -> Wire:
        """After DATA, and this of the message."""
        wire = await self.enveloped()
        assert (await wire.say("DATA")).startswith("354 ")
        await wire.send(content)
        return wire


@asynccontextmanager
async def listened(
    folder: Path, limits: IngressLimits | None = None, *, host: str = "127.0.0.1", **changes: Any
) -> AsyncIterator[Listened]:
    """`changes`: of IngressEndpoint."""
    async with kept(on_sqlite(folder)) as store:
        shelf = Shelf(store)
        ingress = IngressServer(
            IngressEndpoint(host, 0, limits=limits or IngressLimits(), **changes), shelf, store.clock
        )
        running = Listened(ingress, shelf)
        try:
            async with ingress.running():
                yield running
        finally:
            for wire in running.wires:
                wire.writer.transport.abort()
            await asyncio.gather(*(wire.writer.wait_closed() for wire in running.wires), return_exceptions=True)
