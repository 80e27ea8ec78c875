"""All stores of Mailer on one database."""

from collections.abc import Callable
from datetime import datetime, timedelta

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.outbox.failed_messages.table import FailedMessages
from extracted.mailer.storage.delivery_queue import StoredDeliveryQueue
from extracted.mailer.storage.mails import StoredMails
from extracted.mailer.storage.retention import StoredRetention
from extracted.mailer.storage.suppressions import StoredSuppressions
from extracted.mailer.storage.tables import define


class Stores:
    """`keep`: how long contents of finished mails are kept."""

    def __init__(self, database: Database, clock: Callable[[], datetime], keep: timedelta) -> None:
        own_tables = OwnTables("mailer", database.is_sqlite)
        self.tables = define(own_tables)
        self.mails = StoredMails(database, self.tables, clock)
        self.queue = StoredDeliveryQueue(database, self.tables, clock)
        self.suppressions = StoredSuppressions(database, self.tables, clock)
        self.retention = StoredRetention(database, self.tables, clock, keep)
        self.failed_messages = FailedMessages(own_tables, clock)
