"""Builds what Account needs with a broker. What lies in the monolith's tables comes as arguments."""

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
from extracted.account.purchases.audit_timer import AuditTimer
from extracted.account.purchases.consumers import MessageHandlers, PurchaseConsumers
from extracted.account.purchases.domain.saga import TimeoutSettings
from extracted.account.purchases.messages import REPLIES_EXCHANGE
from extracted.account.purchases.metrics import AccountMetrics
from extracted.account.purchases.offers import HttpOffers
from extracted.account.purchases.queues import AccountQueues
from extracted.account.purchases.service.buy import PurchaseService
from extracted.account.purchases.service.buy_now import BuyNow
from extracted.account.purchases.service.operations import PurchaseOperations
from extracted.account.purchases.service.queries import PurchaseQueries
from extracted.account.purchases.service.saga_timeouts import SagaTimeouts
from extracted.account.purchases.settlement_waiters import SettlementWaiters
from extracted.account.purchases.storage.audit import SoldRows
from extracted.account.purchases.storage.operations import SqlOperatorStore
from extracted.account.purchases.storage.purchases import Points, SqlPurchaseStore, TransactionContext
from extracted.account.purchases.storage.statements import build
from extracted.account.purchases.storage.tables import define
from extracted.account.purchases.worker import AccountWorker
from extracted.account.replies import ReplySender
from extracted.account.rewards import messages as reward_messages
from extracted.account.rewards.service import RewardPayments
from extracted.account.rewards.storage import SqlRewardLedger
from extracted.account.rewards.worker import RewardConsumer
from extracted.account.settings import Settings

TOPOLOGY: Final = Path(__file__).parents[2] / "topology.yaml"


@dataclass(frozen=True, slots=True)
class BrokerComponents:
    """What runs with a broker: mail requests, rewards, the operators' use cases, the audit.

    `consumers`: those that run now.
    """

    broker: Broker
    context: TransactionContext
    failed_messages: FailedMessages
    mail_requests: MailRequestOutbox
    operations: PurchaseOperations
    messages: StoredFailedMessages
    rewards: RewardConsumer
    worker: AccountWorker
    metrics: AccountMetrics
    queues: AccountQueues
    consumers: list[Consumer]


@dataclass(frozen=True, slots=True)
class PurchaseComponents:
    """What runs in addition with Shop."""

    buy_now: BuyNow
    queries: PurchaseQueries
    offers: HttpOffers
    consumers: PurchaseConsumers


def broker_components(
    settings: Settings, database: Database, points: Points, sold_rows: SoldRows
) -> BrokerComponents | None:
    """None: the settings name no broker. Raises SettingsInvalid."""
    if settings.broker_url is None:
        return None
    own = OwnTables("account", database.is_sqlite)
    outbox, failed_messages = Outbox(own, now), FailedMessages(own, now)
    tables = define(own)
    context = TransactionContext(
        tables=tables, statements=build(tables, outbox.table), points=points, outbox=outbox, clock=now
    )
    broker = open_broker(settings.broker_url.get_secret_value(), "account")
    operations = PurchaseOperations(SqlOperatorStore(database, context, sold_rows), now, timeouts(settings))
    relay = OutboxRelay(database, outbox, broker)
    consumers: list[Consumer] = []
    audit_timer, messages = AuditTimer(operations, relay, consumers), StoredFailedMessages(database, failed_messages)
    return BrokerComponents(
        broker=broker,
        context=context,
        failed_messages=failed_messages,
        mail_requests=MailRequestOutbox(outbox, now),
        operations=operations,
        messages=messages,
        rewards=RewardConsumer(
            broker=broker,
            payments=RewardPayments(SqlRewardLedger(database, own, tables.ledger, points, now)),
            replies=ReplySender(broker, reward_messages.REPLIES_EXCHANGE),
            clock=now,
            database=database,
            failed_messages=failed_messages,
            consumers=consumers,
        ),
        worker=AccountWorker(broker=broker, topology=own_queues(settings), relay=relay, audit_timer=audit_timer),
        metrics=AccountMetrics(
            operations=operations, relay=relay, messages=messages, audit_timer=audit_timer, consumers=consumers
        ),
        queues=AccountQueues(operations, relay.status, messages),
        consumers=consumers,
    )


def purchase_components(
    settings: Settings, database: Database, with_broker: BrokerComponents
) -> PurchaseComponents | None:
    """None: the settings name no Shop, so nothing is sold here."""
    if settings.shop_url is None or not settings.sells:
        return None
    store = SqlPurchaseStore(database, with_broker.context)
    offers = HttpOffers(settings.shop_url, settings.credential(settings.shop_token))
    service = PurchaseService(
        store=store, offers=offers, clock=now, waiters=SettlementWaiters(), timeouts=timeouts(settings)
    )
    return PurchaseComponents(
        buy_now=BuyNow(service),
        queries=PurchaseQueries(store),
        offers=offers,
        consumers=PurchaseConsumers(
            broker=with_broker.broker,
            handlers=MessageHandlers(
                purchases=service, replies=ReplySender(with_broker.broker, REPLIES_EXCHANGE), clock=now
            ),
            shop_ready=offers.ping,
            saga_timeouts=SagaTimeouts(store=store, clock=now, timeouts=timeouts(settings)),
            database=database,
            failed_messages=with_broker.failed_messages,
            consumers=with_broker.consumers,
        ),
    )


async def start(stack: AsyncExitStack, with_broker: BrokerComponents, with_shop: PurchaseComponents | None) -> None:
    """Runs all until the stack is closed. What takes messages in ends before what sends them."""
    stack.push_async_callback(with_broker.broker.aclose)
    if with_shop is not None:
        stack.push_async_callback(with_shop.offers.aclose)
    await stack.enter_async_context(with_broker.worker.running())
    await stack.enter_async_context(with_broker.rewards.running())
    if with_shop is not None:
        await stack.enter_async_context(with_shop.consumers.running())


def own_queues(settings: Settings) -> Topology:
    """Declares the queues of purchases only where something is sold."""
    declared = topology.load(TOPOLOGY).owned_by("account")
    return declared if settings.sells else declared.only(reward_messages.QUEUE)


def timeouts(settings: Settings) -> TimeoutSettings:
    """How long Shop may be silent."""
    return TimeoutSettings(timedelta(seconds=settings.ask_again_s), timedelta(seconds=settings.cancel_after_s))


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
