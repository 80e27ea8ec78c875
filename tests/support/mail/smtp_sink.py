"""A mail server that keeps what it gets, and has the faults that it is told to have: in this process, or in its own.

Written on bare asyncio, as aiosmtpd has no place for most of these faults, and is slower than what it would measure.
`python -m tests.support.mail.smtp_sink --port 0 --latency-ms 50 --record FILE --faults FILE` prints its port, then
serves until it is ended; `recorded(FILE)` reads what it got.
"""

import argparse
import asyncio
import base64
import binascii
import json
import re
import signal
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from tests.support.mail.smtp_faults import (
    AUTH,
    DATA,
    DOT,
    EHLO,
    GREETING,
    MAIL,
    QUIT,
    RCPT,
    RSET,
    STARTTLS,
    Fault,
    Faults,
    FaultsFile,
    Moment,
    Script,
)

OFFERS: Final = ("8BITMIME", "SMTPUTF8", "SIZE 33554432", "ENHANCEDSTATUSCODES")
_ID: Final = re.compile(rb"^(X-PolyCode-Mail-Id|Message-ID):[ \t]*<?([^\r\n>]+)", re.I | re.M)
_END: Final = b"\r\n.\r\n"


@dataclass(frozen=True)
class Taken:
    """One delivery, as it came, but for the stuffed dots. `id`: by header, the mail's own before Message-ID."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    at: float
    options: str = ""
    user: str | None = None
    is_encrypted: bool = False


@dataclass
class Sink:
    """What it got. `script` may be replaced while it runs."""

    script: Script = field(default_factory=Faults)
    latency_s: float = 0.0
    offers: Sequence[str] = OFFERS
    login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    record: IO[str] | None = None
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    verbs: Counter[str] = field(default_factory=Counter)
    sessions: set["Session"] = field(default_factory=set)
    """Those that are open now."""

    def faults(self, *faults: Fault) -> None:
        """From now on these."""
        self.script = Faults(faults)

    def take(self, taken: Taken) -> None:
        self.counts[taken.id] += 1
        if self.record is None:
            self.taken.append(taken)
            return
        raw = base64.b64encode(taken.raw).decode()
        line = {"id": taken.id, "from": taken.sender, "to": taken.recipients, "at": taken.at, "raw": raw}
        self.record.write(json.dumps(line) + "\n")
        self.record.flush()


def recorded(path: Path) -> list[Taken]:
    """What a sink of its own process wrote down so far; a line that is not whole yet is left out."""
    whole, _, _ = path.read_text().rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines()]
    return [Taken(e["id"], e["from"], tuple(e["to"]), base64.b64decode(e["raw"]), e["at"]) for e in lines]


@asynccontextmanager
async def running_sink(sink: Sink | None = None, *, is_implicit: bool = False) -> AsyncIterator[Sink]:
    """On a port of 127.0.0.1. `is_implicit`: TLS from the first byte on, else by STARTTLS, where it has `tls`."""
    sink = sink or Sink()
    loop, tls = asyncio.get_running_loop(), sink.tls if is_implicit else None
    server = await loop.create_server(lambda: Session(sink, tls is not None), "127.0.0.1", sink.port, ssl=tls)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for session in list(sink.sessions):
            session.drop()
        await server.wait_closed()


class Session(asyncio.Protocol):
    """One connection. `_busy`: a reply is still to come, so what was sent ahead waits."""

    def __init__(self, sink: Sink, is_encrypted: bool) -> None:
        self._sink = sink
        self._is_encrypted = is_encrypted
        self._buffer = bytearray()
        self._is_data = self._is_busy = False
        self._slow_s = 0.0
        self._user: str | None = None
        self._is_greeted = False
        self._envelope: list[str] = []
        self._options = ""
        self._searched = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sink.sessions.add(self)
        if not self._is_greeted:
            self._is_greeted = True
            self._sink.connections += 1
            self._at(GREETING, lambda: self._reply(220, "sink"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.sessions.discard(self)

    def drop(self) -> None:
        """Without a word."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._is_data and self._slow_s:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(self._slow_s, self._read_on)
        self._go_on()

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _go_on(self) -> None:
        while not self._is_busy and not self._transport.is_closing():
            part = self._part(_END if self._is_data else b"\r\n")
            if part is None:
                return
            self._message(part) if self._is_data else self._command(part)

    def _part(self, end: bytes) -> bytes | None:
        """What is before the end, once that is there; what was searched is not searched again."""
        at = self._buffer.find(end, self._searched)
        if at < 0:
            self._searched = max(0, len(self._buffer) - len(end) + 1)
            return None
        part, self._searched = bytes(self._buffer[:at]), 0
        del self._buffer[: at + len(end)]
        return part

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.decode("utf-8", "replace").partition(" ")
        handle = self._HANDLERS.get(verb.upper())
        if handle is None:
            self._reply(502, "not known here")
        else:
            self._sink.verbs[verb.upper()] += 1
            handle(self, argument)

    def _ehlo(self, _: str) -> None:
        offers = [*self._sink.offers, *(["AUTH PLAIN"] if self._sink.login else [])]
        offers += ["STARTTLS"] if self._sink.tls and not self._is_encrypted else []
        self._at(EHLO, lambda: self._reply(250, "\n".join(["sink", *offers])))

    def _starttls(self, _: str) -> None:
        def encrypt() -> None:
            self._reply(220, "go on")
            self._is_busy = True
            self._task = asyncio.create_task(self._encrypted())

        self._at(STARTTLS, encrypt)

    async def _encrypted(self) -> None:
        assert self._sink.tls is not None
        loop = asyncio.get_running_loop()
        try:
            new = await loop.start_tls(self._transport, self, self._sink.tls, server_side=True)
        except OSError:
            self.drop()
            return
        assert new is not None
        self._transport, self._is_encrypted, self._is_busy = new, True, False
        self._go_on()

    def _auth(self, argument: str) -> None:
        self._at(AUTH, lambda: self._check(_decoded(argument.partition(" ")[2]).split("\0")[1:]))

    def _check(self, given: Sequence[str]) -> None:
        is_known = tuple(given) == self._sink.login
        self._user = given[0] if is_known else None
        self._reply(235, "2.7.0 welcome") if is_known else self._reply(535, "5.7.8 wrong")

    def _mail(self, argument: str) -> None:
        if self._sink.login and self._user is None:
            self._reply(530, "5.7.0 who are you?")
            return
        address, _, options = argument.partition(">")
        self._envelope, self._options = [address.partition("<")[2]], options.strip()
        self._at(MAIL, lambda: self._reply(250, "2.1.0 ok"), self._reset)

    def _rcpt(self, argument: str) -> None:
        address = argument.partition("<")[2].rstrip(">")
        self._envelope.append(address)
        self._at(RCPT, lambda: self._reply(250, "2.1.5 ok"), self._envelope.pop)

    def _data(self, _: str) -> None:
        def start() -> None:
            self._is_data = True
            self._buffer[:0] = b"\r\n"  # so that a message of nothing has an end, too
            self._reply(354, "go on")

        self._at(DATA, start) if len(self._envelope) > 1 else self._reply(503, "5.5.1 first MAIL and RCPT")

    def _message(self, part: bytes) -> None:
        """`part`: from the line end before it up to its own (left out), its dots still stuffed."""
        self._is_data, self._slow_s = False, 0.0
        raw = (part + b"\r\n").replace(b"\r\n..", b"\r\n.")[2:]
        fault = self._fault(DOT)
        if fault is None or fault.keeps:
            sender, *recipients = self._envelope
            tail = (time.time(), self._options, self._user, self._is_encrypted)
            self._sink.take(Taken(_id_of(raw), sender, tuple(recipients), raw, *tail))
        self._reset()
        self._do(fault, lambda: self._later(self._sink.latency_s, lambda: self._reply(250, "2.0.0 taken")))

    def _rset(self, _: str) -> None:
        self._reset()
        self._at(RSET, lambda: self._reply(250, "ok"))

    def _bye(self) -> None:
        self._reply(221, "bye")
        self._transport.close()

    def _reset(self) -> None:
        self._envelope, self._options = [], ""

    def _at(self, verb: str, usual: Callable[[], object], undo: Callable[[], object] | None = None) -> None:
        fault = self._fault(verb)
        if fault is not None and fault.do == "reply" and undo is not None:
            undo()
        self._do(fault, usual)

    def _fault(self, verb: str) -> Fault | None:
        return self._sink.script(Moment(verb, " ".join(self._envelope)))

    def _do(self, fault: Fault | None, usual: Callable[[], object]) -> None:
        if fault is None:
            usual()
        elif fault.do == "drop":
            self.drop()
        elif fault.do == "hang":
            self._later(fault.seconds, usual)
        elif fault.do == "slow":
            self._slow_s = fault.seconds
            usual()
        else:
            self._reply(fault.code, fault.text)
        if fault is not None and fault.drops:
            self._later(fault.seconds if fault.do == "hang" else 0.0, self._transport.close)

    def _later(self, seconds: float, then: Callable[[], object]) -> None:
        def done() -> None:
            self._is_busy = False
            if not self._transport.is_closing():
                then()
                self._go_on()

        self._is_busy = seconds > 0
        asyncio.get_running_loop().call_later(seconds, done) if self._is_busy else then()

    def _reply(self, code: int, text: str) -> None:
        *lines, last = text.split("\n")
        self._transport.write("".join(f"{code}-{line}\r\n" for line in lines).encode() + f"{code} {last}\r\n".encode())

    _HANDLERS: Final[dict[str, Callable[["Session", str], None]]] = {
        **{EHLO: _ehlo, STARTTLS: _starttls, AUTH: _auth, MAIL: _mail, RCPT: _rcpt, DATA: _data, RSET: _rset},
        "HELO": lambda self, _: self._reply(250, "sink"),
        "NOOP": lambda self, _: self._reply(250, "ok"),
        QUIT: lambda self, _: self._at(QUIT, self._bye),
    }


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _id_of(raw: bytes) -> str:
    head = raw.partition(b"\r\n\r\n")[0]
    found = {name.lower(): value.decode("utf-8", "replace").strip() for name, value in _ID.findall(head)}
    return found.get(b"x-polycode-mail-id") or found.get(b"message-id") or ""


async def _serve(port: int, latency_ms: float, record: Path | None, faults: Path | None) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    script = Faults() if faults is None else FaultsFile(faults)
    with (record or Path("/dev/null")).open("a") as file:
        async with running_sink(Sink(script, latency_ms / 1000, record=file, port=port)) as sink:
            print(sink.port, flush=True)
            await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, type_ in (("--port", int), ("--latency-ms", float), ("--record", Path), ("--faults", Path)):
        parser.add_argument(name, type=type_)
    given = parser.parse_args()
    asyncio.run(_serve(given.port or 0, given.latency_ms or 0.0, given.record, given.faults))


if __name__ == "__main__":
    main()
