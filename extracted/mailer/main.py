"""Composition root of Mailer: settings in, a served application out."""

import argparse
import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.service import logs, starting, web
from chassis.service.settings import load, revealed
from extracted.mailer import api, parts
from extracted.mailer.addresses import canonical
from extracted.mailer.delivery.sending import Sending, Tools, wake_one
from extracted.mailer.maintenance import Keeping
from extracted.mailer.operations import Operations
from extracted.mailer.reporting import Reporting
from extracted.mailer.service import Intake
from extracted.mailer.settings import DatabaseSettings, Settings
from extracted.mailer.storage import MIGRATIONS
from extracted.mailer.storage.mails import StoredMails
from extracted.mailer.storage.retention import StoredForgetting
from extracted.mailer.storage.sendable import StoredSendable
from extracted.mailer.storage.suppressions import StoredSuppressions
from extracted.mailer.storage.tables import define
from extracted.mailer.wakeups import WakeUps
from extracted.mailer.worker import Worker

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"
FURTHER_CONNECTIONS: Final = 6
"""To the database, beside one a sender: requests, queues, what a clock does."""
LEASE_BEYOND: Final = 1.1
"""Times the longest that a mail can take: the rest is to note what became of it."""


def build(settings: Settings) -> Starlette:
    """The application. Raises SettingsInvalid."""
    own = Own(settings)
    listener = parts.ingress(settings, own.intake)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(own.database.aclose)
            stack.push_async_callback(own.transport.aclose)
            await stack.enter_async_context(own.worker.running())
            if listener is not None:
                await stack.enter_async_context(listener.running())
            yield

    credentials = api.Credentials(revealed(settings.internal_token), revealed(settings.operator_token))
    return web.application(
        api.application(own.served, credentials),
        failure=api.failure,
        description=api.description(),
        ready=own.database.ping,
        lifespan=lifespan,
        metrics=own.reporting.metrics,
    )


class Own:
    """Everything of one process, put together; nothing is opened yet. Raises SettingsInvalid."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url, pool_size = settings.database_url.get_secret_value(), settings.senders + FURTHER_CONNECTIONS
        self.database = Database(url, pool_size=pool_size, timeout_s=settings.database_timeout_s)
        self._own = OwnTables("mailer", self.database.is_sqlite)
        self._store = (self.database, define(self._own), _now)
        self._mails, self._sendable = StoredMails(*self._store), StoredSendable(*self._store)
        self._broker = open_broker(settings.broker_url.get_secret_value(), "mailer")
        self._kinds = parts.kinds(settings)
        self._timeouts, self._patience = parts.timeouts(settings), parts.patience(settings)
        self.transport = parts.transport(settings, settings, self._timeouts)
        self._pacing = parts.pacing(settings, settings)
        self._senders = self._made_senders()
        self._wakeups = WakeUps(self._broker, _now, self._wake_here)
        self.intake = Intake(self._mails, self._kinds, canonical, self._wakeups)
        self._keeping = self._made_keeping()
        self.worker, self.reporting, self.served = self._joined()

    def _made_senders(self) -> Sequence[Sending]:
        write = parts.writer(self._settings, self._kinds)
        lease, among = timedelta(seconds=self._timeouts.total_s * LEASE_BEYOND), (_now, random.random)
        tools = Tools(self._sendable, write, self.transport, self._pacing, lease, *among, self._patience)
        return [Sending(tools) for _ in range(self._settings.senders)]

    def _made_keeping(self) -> Keeping:
        forgetting = StoredForgetting(*self._store, timedelta(days=self._settings.retention_days))
        alarm_after = timedelta(seconds=self._settings.alarm_after_s)
        return Keeping(self._mails, self._sendable, forgetting, _now, self._patience.again, alarm_after)

    def _joined(self) -> tuple[Worker, Reporting, api.Parts]:
        """What goes on by itself, what tells how it goes, and what is served."""
        failed_messages, suppressions = FailedMessages(self._own, _now), StoredSuppressions(*self._store)
        worker = Worker(
            *(self._broker, _own_queues(), self.intake, self._wakeups, self._senders, self._keeping),
            *(self.database, failed_messages, self._settings.grace_s),
        )
        reporting = Reporting(self._mails, self._keeping, worker.status, len(self._senders), self._is_away)
        operations = Operations(self._mails, suppressions, canonical, self._wakeups)
        kept, status = StoredFailedMessages(self.database, failed_messages), reporting.status
        served = api.Parts(self.intake, operations, self._mails, suppressions, self._kinds, kept, status)
        return worker, reporting, served

    def _wake_here(self) -> bool:
        is_one_idle = any(sender.is_idle for sender in self._senders)
        wake_one(self._senders)
        return is_one_idle

    def _is_away(self) -> bool:
        return self._pacing.is_open


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, or migrated; 1 could not start; 2 wrong settings."""
    return starting.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    url = load(DatabaseSettings).database_url.get_secret_value()
    if url.startswith("sqlite:///"):
        _made(Path(url.removeprefix("sqlite:///")))
    return starting.migrate(url, "mailer", MIGRATIONS)


def _made(file: Path) -> None:
    """Mailer's database is its own: nobody else makes the file."""
    with suppress(OSError):  # what cannot be made is told by what opens it
        file.touch(mode=0o600)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("mailer", settings.log_level)
    return starting.serve(app, _refusal(settings), host, port, grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    urls = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    return asyncio.run(starting.obstacle(*urls, "mailer", MIGRATIONS, _own_queues()))


def _own_queues() -> Topology:
    return topology.load(TOPOLOGY).owned_by("mailer")


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    return starting.parser(
        "mailer",
        8104,
        "Sends PolyCode's mails; `migrate` makes or changes its own tables instead.",
        "MAILER_DATABASE_URL[_FILE], MAILER_BROKER_URL[_FILE] (amqp://… or sqlite:///PATH), "
        "MAILER_SMTP_HOST and MAILER_PUBLIC_WWW_URL are required; MAILER_SMTP_PORT, MAILER_SMTP_TLS (starttls, "
        "implicit, none), MAILER_SMTP_CA_FILE, MAILER_SMTP_USER, MAILER_SMTP_PASSWORD[_FILE], MAILER_RATE_PER_S, "
        "MAILER_SENDERS, MAILER_FROM, MAILER_FROM_NAME, MAILER_EMAIL_VERIFICATION_PATH, MAILER_EMAIL_TEAMS_PATH, "
        "MAILER_INTERNAL_TOKEN[_FILE], MAILER_OPERATOR_TOKEN[_FILE], MAILER_INGRESS_HOST, MAILER_INGRESS_PORT, "
        "MAILER_INGRESS_USER, MAILER_INGRESS_PASSWORD[_FILE], MAILER_INGRESS_CERTIFICATE_FILE, "
        "MAILER_INGRESS_KEY_FILE, MAILER_INGRESS_ALLOW_PLAIN, MAILER_ALARM_AFTER_S, MAILER_RETENTION_DAYS, "
        "MAILER_DATABASE_TIMEOUT_S, MAILER_LOG_LEVEL, MAILER_GRACE_S. How long each step may take: "
        "MAILER_SMTP_CONNECT_S, MAILER_SMTP_COMMAND_S, MAILER_SMTP_DATA_S, MAILER_SMTP_ANSWER_S. Until the next try: "
        "MAILER_RETRY_FIRST_S, MAILER_RETRY_LONGEST_S, MAILER_RETRY_QUOTA_S, MAILER_RETRY_AWAY_S, "
        "MAILER_RETRY_AMBIGUOUS_S, MAILER_RETRY_ATTEMPTS, MAILER_BREAKER_S.",
    )
