"""Composition root of Mailer: builds the application from the settings, and serves it."""

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
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.service import logs, startup, web
from chassis.settings import load, revealed
from extracted.mailer import factories
from extracted.mailer.addresses import canonical
from extracted.mailer.api import application
from extracted.mailer.delivery.notifier import SenderNotifier
from extracted.mailer.delivery.sender import Sender, SenderContext, wake_one
from extracted.mailer.maintenance import Maintenance
from extracted.mailer.operations import MailOperations
from extracted.mailer.service import Intake
from extracted.mailer.settings import MailerDatabaseSettings, Settings
from extracted.mailer.status import MailerStatus
from extracted.mailer.storage import MIGRATIONS
from extracted.mailer.storage.stores import Stores
from extracted.mailer.worker import MailWorker

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"
FURTHER_CONNECTIONS: Final = 6
"""To the database, for requests, queues and maintenance; each sender has one more."""
LEASE_FACTOR: Final = 1.1
"""Of the longest time that a mail can take: the rest is for recording the result."""


def build(settings: Settings) -> Starlette:
    """The application. Raises SettingsInvalid."""
    process = MailerProcess(settings)
    ingress = factories.ingress(settings, process.intake, _now)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(process.database.aclose)
            stack.push_async_callback(process.transport.aclose)
            await stack.enter_async_context(process.worker.running())
            if ingress is not None:
                await stack.enter_async_context(ingress.running())
            yield

    tokens = application.ApiTokens(revealed(settings.internal_token), revealed(settings.operator_token))
    return web.application(
        application.application(process.route_dependencies(), tokens),
        failure=application.failure,
        description=application.description(),
        ready=process.database.ping,
        lifespan=lifespan,
        metrics=process.status.metrics,
    )


class MailerProcess:
    """Builds the objects of one process; opens nothing. Raises SettingsInvalid."""

    def __init__(self, settings: Settings) -> None:
        url, connections = settings.database_url.get_secret_value(), settings.senders + FURTHER_CONNECTIONS
        self.database = Database(url, pool_size=connections, timeout_s=settings.database_timeout_s)
        self._stores = Stores(self.database, _now, keep=timedelta(days=settings.retention_days))
        self._broker = open_broker(settings.broker_url.get_secret_value(), "mailer")
        self._templates = factories.templates(settings)
        self._timeouts = factories.smtp_timeouts(settings)
        self._retry_policy = factories.retry_policy(settings)
        self._throttle = factories.throttle(settings, settings)
        self.transport = factories.transport(settings, settings, self._timeouts)
        self._senders = self._make_senders(settings)
        self._notifier = SenderNotifier(self._broker, _now, wake_here=lambda: wake_one(self._senders))
        self.intake = Intake(
            mails=self._stores.mails, templates=self._templates, canonical=canonical, notifier=self._notifier
        )
        self._maintenance = self._make_maintenance(settings)
        self.worker = self._make_worker(settings)
        self.status = MailerStatus(
            mails=self._stores.mails,
            maintenance=self._maintenance,
            consumer=self.worker.status,
            senders=settings.senders,
            is_away=lambda: self._throttle.is_open,
        )

    def _make_senders(self, settings: Settings) -> Sequence[Sender]:
        context = SenderContext(
            queue=self._stores.queue,
            compose=factories.composer(settings, self._templates),
            transport=self.transport,
            throttle=self._throttle,
            lease=timedelta(seconds=self._timeouts.total_s * LEASE_FACTOR),
            clock=_now,
            chance=random.random,
            retry_policy=self._retry_policy,
        )
        return [Sender(context) for _ in range(settings.senders)]

    def _make_maintenance(self, settings: Settings) -> Maintenance:
        return Maintenance(
            mails=self._stores.mails,
            queue=self._stores.queue,
            retention=self._stores.retention,
            clock=_now,
            again=self._retry_policy.again,
            alarm_after=timedelta(seconds=settings.alarm_after_s),
        )

    def _make_worker(self, settings: Settings) -> MailWorker:
        return MailWorker(
            broker=self._broker,
            topology=_own_queues(),
            intake=self.intake,
            notifier=self._notifier,
            senders=self._senders,
            maintenance=self._maintenance,
            database=self.database,
            failed_messages=self._stores.failed_messages,
            grace_s=settings.grace_s,
        )

    def route_dependencies(self) -> application.RouteDependencies:
        """What the API calls."""
        stores = self._stores
        operations = MailOperations(
            mails=stores.mails, suppressions=stores.suppressions, canonical=canonical, notifier=self._notifier
        )
        return application.RouteDependencies(
            intake=self.intake,
            operations=operations,
            mails=stores.mails,
            suppressions=stores.suppressions,
            templates=self._templates,
            failed_messages=StoredFailedMessages(self.database, stores.failed_messages),
            status=self.status.status,
            queues=self.status.queues,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 served and stopped, or migrated; 1 could not start; 2 wrong settings."""
    return startup.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    url = load(MailerDatabaseSettings).database_url.get_secret_value()
    if url.startswith("sqlite:///"):
        _create(Path(url.removeprefix("sqlite:///")))
    return startup.migrate(url, "mailer", MIGRATIONS)


def _create(file: Path) -> None:
    """Creates the SQLite file, as Mailer's database is its own."""
    with suppress(OSError):  # whatever opens the file next reports it
        file.touch(mode=0o600)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("mailer", settings.log_level)
    return startup.serve(app, _obstacle(settings), host, port, service="mailer", grace_s=settings.grace_s)


def _obstacle(settings: Settings) -> str | None:
    urls = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    return asyncio.run(startup.obstacle(*urls, "mailer", MIGRATIONS, _own_queues()))


def _own_queues() -> Topology:
    return topology.load(TOPOLOGY).owned_by("mailer")


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    return startup.parser(
        "mailer",
        8104,
        "Sends PolyCode's mails; `migrate` creates or changes its own tables instead.",
        "MAILER_DATABASE_URL[_FILE], MAILER_BROKER_URL[_FILE] (amqp://… or sqlite:///PATH), "
        "MAILER_SMTP_HOST and MAILER_PUBLIC_WWW_URL are required; MAILER_SMTP_PORT, MAILER_SMTP_TLS (starttls, "
        "implicit, none), MAILER_SMTP_CA_FILE, MAILER_SMTP_USER, MAILER_SMTP_PASSWORD[_FILE], MAILER_RATE_PER_S, "
        "MAILER_SENDERS, MAILER_FROM, MAILER_FROM_NAME, MAILER_EMAIL_VERIFICATION_PATH, MAILER_EMAIL_TEAMS_PATH, "
        "MAILER_INTERNAL_TOKEN[_FILE], MAILER_OPERATOR_TOKEN[_FILE], MAILER_INGRESS_HOST, MAILER_INGRESS_PORT, "
        "MAILER_INGRESS_USER, MAILER_INGRESS_PASSWORD[_FILE], MAILER_INGRESS_CERTIFICATE_FILE, "
        "MAILER_INGRESS_KEY_FILE, MAILER_INGRESS_ALLOW_PLAIN, MAILER_ALARM_AFTER_S, MAILER_RETENTION_DAYS, "
        "MAILER_DATABASE_TIMEOUT_S, MAILER_LOG_LEVEL, MAILER_GRACE_S. Time limits of each step: "
        "MAILER_SMTP_CONNECT_S, MAILER_SMTP_COMMAND_S, MAILER_SMTP_DATA_S, MAILER_SMTP_ANSWER_S. Retry delays: "
        "MAILER_RETRY_FIRST_S, MAILER_RETRY_LONGEST_S, MAILER_RETRY_QUOTA_S, MAILER_RETRY_AWAY_S, "
        "MAILER_RETRY_AMBIGUOUS_S, MAILER_RETRY_ATTEMPTS, MAILER_BREAKER_S.",
    )
