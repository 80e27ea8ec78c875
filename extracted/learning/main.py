"""Composition root of Learning: builds the application from settings, and serves it."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.routing import Route

from chassis.auth.tokens import TokenVerifier
from chassis.database.own_tables import OwnTables
from chassis.messaging.open import open_broker
from chassis.messaging.topology import Topology
from chassis.outbox.outbox import Outbox
from chassis.outbox.relay import OutboxRelay
from chassis.service import logs, readiness, startup, web
from chassis.settings import load, revealed
from extracted.learning.api import application, internal
from extracted.learning.api.callers import GuardedRoute
from extracted.learning.contents.api import contents
from extracted.learning.contents.api import internal as content_operations
from extracted.learning.modules.api import modules
from extracted.learning.rewards.api import internal as reward_operations
from extracted.learning.rewards.metrics import RewardMetrics
from extracted.learning.rewards.payments import PaymentReplies
from extracted.learning.rewards.service import RewardService
from extracted.learning.rewards.storage import tables
from extracted.learning.rewards.storage.rewards import StoredRewards
from extracted.learning.rewards.worker import RewardWorker
from extracted.learning.settings import LearningDatabaseSettings, Settings
from extracted.learning.storage import MIGRATIONS
from extracted.learning.submissions import api as submissions
from extracted.learning.submissions.places import RunPlaces
from extracted.learning.submissions.runner_client import HttpRunner
from extracted.learning.submissions.service import SubmissionService, ValidatorRuns
from legacy_adapter.learning.contents import LegacyContents
from legacy_adapter.learning.modules import LegacyModules
from legacy_adapter.learning.submissions import LegacySubmissions
from legacy_adapter.learning.success_marks import LegacySuccessMarks
from legacy_adapter.learning.tidying import LegacyTreeCare
from legacy_adapter.stores import MonolithStores, opened


@dataclass(frozen=True, slots=True)
class RewardParts:
    """What runs with a broker."""

    service: RewardService
    stored: StoredRewards
    worker: RewardWorker
    metrics: RewardMetrics


def build(settings: Settings) -> Starlette:
    """The application in shared mode: it works on the monolith's own tables and documents. Raises SettingsInvalid."""
    production = settings.environment == "production"
    stores = opened(settings.database_url.get_secret_value(), revealed(settings.documents_url))
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    runner, rewards = _runner(settings), _rewards(settings, stores)
    routes = [*_routes(settings, stores, runner, rewards)]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stores.aclose)
            stack.push_async_callback(verifier.aclose)
            if runner is not None:
                stack.push_async_callback(runner.aclose)
            if rewards is not None:
                await stack.enter_async_context(rewards.worker.running())
            yield

    return web.application(
        internal.application(
            application.application(routes, verifier, production=production), [*_operations(settings, stores, rewards)]
        ),
        failure=application.failure(production=production),
        description=application.description(),
        unserved=readiness.unserved(
            application.description(),
            [(method, path) for method, path, *_ in routes],
            "LEARNING_RUNNER_URL, LEARNING_RUNNER_TOKEN and LEARNING_BROKER_URL are not all set",
        ),
        ready=stores.ping,
        lifespan=lifespan,
        metrics=None if rewards is None else rewards.metrics.gauges,
    )


def _routes(
    settings: Settings, stores: MonolithStores, runner: HttpRunner | None, rewards: RewardParts | None
) -> Iterator[GuardedRoute]:
    yield from modules.routes(LegacyModules(stores.database, stores.documents), settings.compat)
    yield from contents.routes(LegacyContents(stores.documents), settings.compat)
    store = LegacySubmissions(stores.database, stores.documents)
    yield from submissions.reading_routes(store)
    if runner is None:
        return
    places = RunPlaces(settings.runs_at_once, settings.submission_timeout_s)
    runs = ValidatorRuns(store, runner, settings.compat, _now, places)
    yield from submissions.trying_routes(runs)
    if rewards is not None:
        yield from submissions.submitting_routes(SubmissionService(runs, rewards.service))


def _runner(settings: Settings) -> HttpRunner | None:
    if settings.runner_url is None:
        return None
    credential = settings.credential(settings.runner_token)
    return HttpRunner(settings.runner_url, credential, at_once=settings.runs_at_once)


def _rewards(settings: Settings, stores: MonolithStores) -> RewardParts | None:
    if settings.broker_url is None:
        return None
    own = OwnTables("learning", stores.database.is_sqlite)
    outbox, broker = Outbox(own, _now), open_broker(settings.broker_url.get_secret_value(), "learning")
    stored = StoredRewards(stores.database, own, tables.define(own), outbox, _now)
    payments = PaymentReplies(broker, settings.payment_wait_s)
    service = RewardService(stored, LegacySuccessMarks(stores.documents), payments, _now)
    relay = OutboxRelay(stores.database, outbox, broker)
    return RewardParts(
        service, stored, RewardWorker(broker, relay, service, payments), RewardMetrics(stored, relay, _now)
    )


def _operations(settings: Settings, stores: MonolithStores, rewards: RewardParts | None) -> Iterator[Route]:
    token = revealed(settings.operator_token)
    if token is None:
        return
    yield from content_operations.routes(LegacyTreeCare(stores.documents), token, _now)
    if rewards is not None:
        yield from reward_operations.routes(rewards.stored, rewards.worker.status, rewards.worker.queues, token)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 after a normal stop, 1 if it cannot start, 2 for wrong settings."""
    return startup.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(LearningDatabaseSettings)
    return startup.migrate(settings.database_url.get_secret_value(), "learning", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("learning", settings.log_level)
    return startup.serve(app, _refusal(settings), host, port, service="learning", grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    """Learning has no queues of its own."""
    if settings.broker_url is None:
        return None
    urls = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    return asyncio.run(startup.obstacle(*urls, "learning", MIGRATIONS, Topology({}, ())))


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    return startup.parser(
        "learning",
        8106,
        "Serves Learning's routes: modules, contents and submissions.",
        "Required: LEARNING_DATABASE_URL[_FILE], LEARNING_JWKS_URL, and with PostgreSQL LEARNING_DOCUMENTS_URL[_FILE]. "
        "To run code: LEARNING_RUNNER_URL and LEARNING_RUNNER_TOKEN[_FILE] (or LEARNING_KEYCLOAK_URL and "
        "LEARNING_SERVICE_CLIENT_SECRET[_FILE]); to store submissions also LEARNING_BROKER_URL[_FILE]. "
        "Optional: LEARNING_OPERATOR_TOKEN[_FILE], LEARNING_AUDIENCE, LEARNING_ISSUER, LEARNING_ENVIRONMENT "
        "(production, development), LEARNING_COMPAT (strict, improved), LEARNING_SUBMISSION_TIMEOUT_S, "
        "LEARNING_RUNS_AT_ONCE, LEARNING_PAYMENT_WAIT_S, LEARNING_LOG_LEVEL, LEARNING_GRACE_S.",
    )
