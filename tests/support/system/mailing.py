"""A running Mailer for fault scenarios: its processes, a provider with faults, and the books when all is at rest."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
from sqlalchemy import create_engine, text

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from parts.ports import free_port
from parts.process import is_open
from tests.support.connected import RABBIT_MANAGEMENT_URL, fresh_postgres, fresh_rabbit
from tests.support.mail.smtp_faults import Fault, write_faults
from tests.support.mail.smtp_sink import Taken, recorded
from tests.support.system.meddling import TOPOLOGY, Meddler, RabbitMeddler, SqliteMeddler
from tests.support.system.processes import Process
from tests.support.system.tcp_proxy import TcpProxy
from tests.support.system.waiting import POLL_S, until

INTERNAL, OPERATOR = "services-alone-have-this", "operators-alone-have-this"
QUEUE, REQUESTED = "mailer.requests", "mail.requested.v1"
PENDING = ("queued", "sending", "deferred")
AT_REST_WITHIN_S = 180
ONCE, AGAIN = "team_joined", "verify_account"
"""Kinds: at most once, at least once."""
VARIABLES = {
    ONCE: {"username": "ada", "inviter": "grace", "team": "engines"},
    AGAIN: {"username": "ada", "token": "11111111-1111-4111-8111-111111111111"},
}
PACE = {
    **{f"MAILER_SMTP_{step}_S": "2" for step in ("CONNECT", "COMMAND", "DATA", "ANSWER")},
    **{f"MAILER_RETRY_{delay}_S": "0.3" for delay in ("FIRST", "AWAY")},
    **{f"MAILER_RETRY_{delay}_S": "0.5" for delay in ("QUOTA", "AMBIGUOUS")},
    **{"MAILER_RETRY_LONGEST_S": "2", "MAILER_BREAKER_S": "0.3"},
}
"""Minutes and hours, in seconds."""


@dataclass(frozen=True)
class Row:
    """A mail as its table has it."""

    id: str
    key: str
    kind: str
    recipient: str
    policy: str
    state: str
    attempts: int
    ambiguities: int
    reason: str | None
    response: str | None


@dataclass(frozen=True)
class Books:
    """Rows, and how often the provider took each mail."""

    rows: Sequence[Row]
    taken: Sequence[Taken]

    @property
    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows)

    @property
    def counts(self) -> Counter[str]:
        return Counter(one.id for one in self.taken)

    def of(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row.kind == kind]

    def breaches(self, accepted: int) -> list[str]:
        """Of I9 and I10, in words; `accepted`: how many different requests were said to be taken."""
        pending = sum(self.states[state] for state in PENDING)
        found = [] if len(self.rows) == accepted else [f"accepted {accepted}, rows {len(self.rows)}"]
        found += [f"{pending} are pending"] if pending else []
        for row in self.rows:
            found += [f"{row.kind} {row.id}: {what}" for what in _wrong(row, self.counts[row.id])]
        strangers = self.counts.keys() - {row.id for row in self.rows}
        return found + [f"the provider has {one}, which nobody asked for" for one in strangers]

    def line(self, accepted: int) -> str:
        """The sum of I9, to be printed."""
        sent, others = self.states["sent"], ("failed", "ambiguous", "suppressed", "cancelled")
        told = " + ".join(f"{self.states[state]} {state}" for state in others)
        pending = sum(self.states[state] for state in PENDING)
        duplicates = sum(count - 1 for count in self.counts.values() if count > 1)
        return f"accepted {accepted} = {sent} sent + {told} + {pending} pending; duplicates {duplicates}"


def _wrong(row: Row, count: int) -> Iterator[str]:
    if row.state == "sent" and count < 1 and not row.ambiguities:
        yield "sent, and the provider does not have it"
    if count > 1 and not row.ambiguities:
        yield f"taken {count} times, never ambiguous"
    if count > 1 and row.policy == "at_most_once":
        yield f"taken {count} times, and at most once was promised"
    if count and row.state in ("failed", "suppressed", "cancelled") and not row.ambiguities:
        yield f"{row.state}, and the provider has it"


@dataclass
class MailScene:
    """`broker`, `database`: proxies that Mailer talks through; None on embedded parts."""

    folder: Path
    database_url: str
    broker_url: str
    """Both past all proxies."""
    meddler: Meddler
    mailers: list[Process]
    sink: Process
    sink_port: int
    environ: Mapping[str, str]
    broker: TcpProxy | None = None
    database: TcpProxy | None = None
    accepted: set[str] = field(default_factory=set)
    closed: list[str] = field(default_factory=list)
    """The sums of I9, each time that all was at rest."""

    @property
    def mailer(self) -> Process:
        return self.mailers[0]

    @property
    def is_embedded(self) -> bool:
        return self.broker is None

    @property
    def record(self) -> Path:
        return self.folder / "taken.jsonl"

    def faults(self, *faults: Fault) -> None:
        """Of the provider, from now on."""
        write_faults(self.folder / "faults.json", faults)

    def request(self, kind: str, number: int = 1, recipient: str | None = None, **variables: str) -> list[str]:
        """As Account's relay does: confirmed messages in the queue. Returns their keys."""
        now = datetime.now(UTC)
        ids = [str(uuid4()) for _ in range(number)]
        bodies = [self.body(kind, recipient or f"u-{one}@example.org", **variables) for one in ids]
        pairs = zip(ids, bodies, strict=True)
        asyncio.run(_published(self.broker_url, [Envelope(one, REQUESTED, body, now) for one, body in pairs]))
        keys = [f"message:{one}" for one in ids]
        self.accepted |= set(keys)
        return keys

    def body(self, kind: str, recipient: str, **variables: str) -> dict[str, object]:
        """Of a request."""
        return {"kind": kind, "recipient": recipient, "locale": "en", "variables": VARIABLES[kind] | variables}

    def post(self, body: Mapping[str, object], key: str | None = None) -> httpx.Response:
        """POST /mails of the first Mailer; what it takes is counted."""
        key = key or uuid4().hex
        response = self.ask("POST", "/mails", body, token=INTERNAL, headers={"Idempotency-Key": key})
        if response.status_code == 202:
            self.accepted.add(f"api:{key}")
        return response

    def ask(
        self, method: str, path: str, body: object = None, *, token: str = OPERATOR, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """Of the first Mailer."""
        own = {"Authorization": f"Bearer {token}", **headers}
        url = f"http://127.0.0.1:{self.mailer.port}{path}"
        return httpx.request(method, url, json=body, headers=own, timeout=60)

    def books(self) -> Books:
        """Now, past all proxies."""
        taken = recorded(self.record) if self.record.exists() else []
        return Books(self.rows(), taken)

    def rows(self) -> list[Row]:
        return [Row(*row) for row in self._run(f"SELECT {', '.join(Row.__annotations__)} FROM {{mails}}")]

    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows())

    def row(self, key: str) -> Row | None:
        """None: not there yet."""
        return next((row for row in self.rows() if row.key == key), None)

    def reaches(self, key: str, *states: str, within_s: float = 90) -> Row:
        """Waits until the mail of that key is in one of these states."""
        return self._waited(key, lambda row: row.state in states, " or ".join(states), within_s)

    def told(self, key: str) -> Row:
        """Waits until the mail of that key has a reason for not being sent yet, and no probe has it."""
        return self._waited(key, lambda row: bool(row.reason) and row.state != "sending", "a reason", 90)

    def _waited(self, key: str, is_so: Callable[[Row], bool], wanted: str, within_s: float) -> Row:
        found = until(lambda: [row for row in self.rows() if row.key == key and is_so(row)], wanted, within_s)
        assert found
        return found[0]

    def at_rest(self, within_s: float = AT_REST_WITHIN_S) -> Books:
        """When nothing is pending and all that was accepted is a row; fails with all breaches of I9 and I10."""
        deadline = monotonic() + within_s
        while self._is_open(self.rows()) and monotonic() < deadline:
            sleep(POLL_S)
        found = self.books()
        wrong = found.breaches(len(self.accepted))
        self.closed.append(found.line(len(self.accepted)))
        assert not wrong, "\n".join(wrong[:20])
        return found

    def _is_open(self, rows: Sequence[Row]) -> bool:
        return len(rows) < len(self.accepted) or any(row.state in PENDING for row in rows)

    def more(self, number: int, **variables: str) -> list[Process]:
        """Further Mailers, started."""
        first = len(self.mailers)
        new = [self.process(f"mailer-{first + index}") for index in range(number)]
        self.mailers += new
        for process in new:
            process.launch(**variables)
        for process in new:
            process.listening()
        return new

    def process(self, name: str) -> Process:
        """A Mailer that is not started."""
        module = ("extracted.mailer", "--port", "0")
        return Process(name, module, self.environ, self.folder / f"{name}.log")

    def start_sink(self) -> None:
        """At its own port, whatever became of it before; returns when it accepts."""
        self.sink.launch()
        until(lambda: is_open(self.sink_port), "a sink that listens")

    def heal(self) -> None:
        """No fault any more, one Mailer as it is meant to be; rows and records of before are gone."""
        is_as_meant = self._is_as_meant()
        for proxy in (self.broker, self.database):
            if proxy is not None:
                proxy.heal()
        self.meddler.heal()
        for process in self.mailers[is_as_meant:]:
            process.stop()
        del self.mailers[1:]
        self.faults()
        if not self.sink.is_running:
            self.start_sink()
        self.mailer.arm()
        if not is_as_meant:
            self.mailer.start()
        self._settled()
        self._forget()

    def _settled(self) -> None:
        """No message may make a row later, no sender may have one: what was killed leaves both behind for a while."""
        until(lambda: self.meddler.lying() == 0, "empty queues", 120, 0.2)
        self._run("DELETE FROM {mails} WHERE state IN ('queued', 'deferred')")
        until(lambda: self.states()["sending"] == 0, "no mail under way", 120, 0.2)

    def _is_as_meant(self) -> bool:
        """It runs, holds no mail, and has not given the provider up."""
        if (
            not self.mailer.is_running
            or not self.mailer.is_as_meant
            or (self.broker is not None and self.broker.refuses)
        ):
            return False
        status = self.ask("GET", "/internal/status").json()
        return not status["provider"]["isAway"] and not any(self.states()[state] for state in PENDING)

    def _forget(self) -> None:
        for table in OWN_TABLES:
            self._run(f"DELETE FROM {{{table}}}")
        self.accepted.clear()
        self.closed.clear()
        if self.record.exists():
            self.record.write_text("")

    def _run(self, statement: str) -> Sequence[Any]:
        """`{mails}`: that table, as the database has it. The rows, if it returns any."""
        names = {name: f"{'mailer_' if self.is_embedded else 'mailer.'}{name}" for name in OWN_TABLES}
        engine = create_engine(self.database_url.replace("postgresql://", "postgresql+psycopg://", 1))
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement.format(**names)))
                return result.all() if result.returns_rows else ()
        finally:
            engine.dispose()


OWN_TABLES = ("mails", "contents", "events", "bounces", "suppressions", "parked")


@contextmanager
def embedded(folder: Path) -> Iterator[MailScene]:
    """SQLite, and the broker in tables of a second file."""
    path = folder / "broker.sqlite3"
    url = f"sqlite:///{folder / 'mailer.sqlite3'}"
    broker_url = f"sqlite:///{path}?lease_s=2"
    with _scene(folder, url, url, broker_url, broker_url, SqliteMeddler(path)) as scene:
        yield scene


@contextmanager
def on_parts(folder: Path) -> Iterator[MailScene]:
    """PostgreSQL and RabbitMQ, through proxies."""
    broker_url, url = fresh_rabbit(), fresh_postgres()
    asyncio.run(_declared(broker_url))
    with TcpProxy(_port(broker_url)) as broker, TcpProxy(_port(url)) as database:
        meddler = RabbitMeddler(broker_url, RABBIT_MANAGEMENT_URL)
        urls = url, database.through(url), broker_url, broker.through(broker_url)
        with _scene(folder, *urls, meddler) as scene:
            scene.broker, scene.database = broker, database
            try:
                yield scene
            finally:
                broker.heal()
                database.heal()


@contextmanager
def _scene(
    folder: Path, url: str, mailers_url: str, direct_url: str, broker_url: str, meddler: Meddler
) -> Iterator[MailScene]:
    port = free_port()
    arguments = ("--port", str(port), "--record", str(folder / "taken.jsonl"), "--faults", str(folder / "faults.json"))
    sink = Process("sink", ("tests.support.mail.smtp_sink", *arguments), {}, folder / "sink.log")
    environ = PACE | {
        "MAILER_DATABASE_URL": mailers_url,
        "MAILER_BROKER_URL": broker_url,
        "MAILER_SMTP_HOST": "127.0.0.1",
        "MAILER_SMTP_PORT": str(port),
        "MAILER_SMTP_TLS": "none",
        "MAILER_PUBLIC_WWW_URL": "https://polycode.example",
        "MAILER_INTERNAL_TOKEN": INTERNAL,
        "MAILER_OPERATOR_TOKEN": OPERATOR,
    }
    scene = MailScene(folder, url, direct_url, meddler, [], sink, port, environ)
    scene.mailers.append(scene.process("mailer"))
    _migrate(environ)
    try:
        scene.start_sink()
        scene.mailer.start()
        yield scene
    finally:
        for process in [*scene.mailers, sink]:
            process.kill()


async def _published(broker_url: str, messages: Sequence[Envelope]) -> None:
    """At most fifty on their way at once."""
    few = asyncio.Semaphore(50)
    async with aclosing(open_broker(broker_url, "test")) as broker:

        async def one(message: Envelope) -> None:
            async with few:
                await broker.publish("mails", message, timeout_s=20)

        await asyncio.gather(*map(one, messages))


async def _declared(broker_url: str) -> None:
    """All queues of all services: a meddler heals them all."""
    async with aclosing(open_broker(broker_url, "test")) as broker:
        await broker.declare(TOPOLOGY)


def _migrate(environ: Mapping[str, str]) -> None:
    own = {"PATH": os.environ["PATH"], **environ}
    command = [sys.executable, "-m", "extracted.mailer", "migrate"]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


def _port(url: str) -> int:
    return urlsplit(url).port or 0
