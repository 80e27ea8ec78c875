"""How Account's parts are put together where it has a broker; what lies in the monolith's tables comes as arguments."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging import topology
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox.consumer import Consumer
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.outbox.outbox import Outbox
from chassis.outbox.relay import OutboxRelay
from extracted.account.mail_requests.outbox import MailRequestOutbox
from extracted.account.purchases.auditing import Auditing
from extracted.account.purchases.consumers import Handlers, Selling
from extracted.account.purchases.domain.saga import Patience
from extracted.account.purchases.measuring import Measuring
from extracted.account.purchases.offers import HttpOffers
from extracted.account.purchases.replies import GatewayReplies
from extracted.account.purchases.service.buy import Buying
from extracted.account.purchases.service.buy_now import Calling
from extracted.account.purchases.service.operations import Operations
from extracted.account.purchases.service.queries import Looking
from extracted.account.purchases.service.saga_timeouts import Reminding
from extracted.account.purchases.storage.audit import Rows
from extracted.account.purchases.storage.operations import SqlOperations
from extracted.account.purchases.storage.purchases import Kept, Points, SqlStore, kept
from extracted.account.purchases.storage.tables import define
from extracted.account.purchases.waiting import Waiting
from extracted.account.purchases.worker import Worker
from extracted.account.settings import Settings

TOPOLOGY: Final = Path(__file__).parents[2] / "topology.yaml"


@dataclass(frozen=True, slots=True)
class Messaging:
    """What there is with a broker: mail can be asked for, and purchases looked at. `consumers`: that run now."""

    broker: Broker
    kept: Kept
    failed_messages: FailedMessages
    posting: MailRequestOutbox
    operations: Operations
    messages: StoredFailedMessages
    worker: Worker
    measuring: Measuring
    consumers: list[Consumer]


@dataclass(frozen=True, slots=True)
class Purchasing:
    """What there is with a broker and Shop."""

    calling: Calling
    looking: Looking
    offers: HttpOffers
    selling: Selling


def messaging(settings: Settings, database: Database, points: Points, rows: Rows) -> Messaging | None:
    """None: there is no broker. Raises SettingsInvalid."""
    if settings.broker_url is None:
        return None
    own = OwnTables("account", database.is_sqlite)
    outbox, failed_messages = Outbox(own, now), FailedMessages(own, now)
    parts = kept(define(own), points, outbox, now)
    broker = open_broker(settings.broker_url.get_secret_value(), "account")
    operations = Operations(SqlOperations(database, parts, rows), now, patience(settings))
    relay = OutboxRelay(database, outbox, broker)
    consumers: list[Consumer] = []
    auditing, messages = Auditing(operations, relay, consumers), StoredFailedMessages(database, failed_messages)
    worker = Worker(broker, own_queues(settings), relay, auditing)
    measuring = Measuring(operations, relay, messages, auditing, consumers)
    return Messaging(
        broker,
        parts,
        failed_messages,
        MailRequestOutbox(outbox, now),
        operations,
        messages,
        worker,
        measuring,
        consumers,
    )


def purchasing(settings: Settings, database: Database, with_broker: Messaging) -> Purchasing | None:
    """None: nothing is sold here."""
    if settings.shop_url is None or settings.shop_token is None:
        return None
    store, patient = SqlStore(database, with_broker.kept), patience(settings)
    offers = HttpOffers(settings.shop_url, settings.shop_token.get_secret_value())
    buying = Buying(store, offers, now, Waiting(), patient)
    handlers = Handlers(buying, GatewayReplies(with_broker.broker), now)
    reminding = Reminding(store, now, patient)
    failed_messages, consumers = with_broker.failed_messages, with_broker.consumers
    selling = Selling(with_broker.broker, handlers, offers.ping, reminding, database, failed_messages, consumers)
    return Purchasing(Calling(buying), Looking(store), offers, selling)


async def start(stack: AsyncExitStack, with_broker: Messaging, bought: Purchasing | None) -> None:
    """Until the stack is closed: what takes messages in ends before what sends them."""
    stack.push_async_callback(with_broker.broker.aclose)
    if bought is not None:
        stack.push_async_callback(bought.offers.aclose)
    await stack.enter_async_context(with_broker.worker.running())
    if bought is not None:
        await stack.enter_async_context(bought.selling.running())


def own_queues(settings: Settings) -> Topology:
    """Queues of requests to buy are made where somebody takes them up."""
    declared = topology.load(TOPOLOGY)
    return declared.owned_by("account") if settings.sells else Topology({}, ())


def patience(settings: Settings) -> Patience:
    """How long Shop may take."""
    return Patience(timedelta(seconds=settings.ask_again_s), timedelta(seconds=settings.cancel_after_s))


def now() -> datetime:
    """In UTC."""
    return datetime.now(UTC)
