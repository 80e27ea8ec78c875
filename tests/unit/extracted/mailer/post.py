"""Senders at work in this process: rows in a real database, a real mail server with faults, time compressed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from extracted.mailer.delivery.composer import Composer
from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import Provider, SmtpTimeouts
from extracted.mailer.delivery.sender import Sender, SenderContext
from extracted.mailer.delivery.throttle import BreakerLimits, Throttle
from extracted.mailer.domain import Mail, MailEvent, MailRequest, MailState, Policy
from extracted.mailer.ports import MailFilter
from extracted.mailer.smtp_out.client import SmtpTransport
from extracted.mailer.storage.delivery_queue import StoredDeliveryQueue
from extracted.mailer.storage.mails import StoredMails
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links
from tests.support.smtp_faults import Fault, Faults, Moment
from tests.support.smtp_sink import Sink
from tests.unit.extracted.mailer.databases import Kept, wanted

LONG = SmtpTimeouts(connect_s=10, command_s=10, data_s=10, dot_s=10)
SHORT = SmtpTimeouts(connect_s=0.5, command_s=0.5, data_s=0.5, dot_s=0.5)
SOON = timedelta(milliseconds=50)
RETRY_POLICY = DeliveryRetryPolicy(first=SOON, longest=SOON, quota=2 * SOON, away=SOON, again=SOON, shortest_named=SOON)
BREAKER_LIMITS = BreakerLimits(failures=5, first_s=0.1, longest_s=0.2)
WRITER = Composer(Templates(Links("https://www.polycode.test")), "PolyCode", "noreply@polycode.test")


class Hanging:
    """A script: the server does not answer the first `verb`. `is_so`: it has come to that."""

    def __init__(self, verb: str) -> None:
        self._faults = Faults([Fault(verb, "hang", times=1)])
        self.is_so = False

    def __call__(self, moment: Moment) -> Fault | None:
        fault = self._faults(moment)
        self.is_so = self.is_so or fault is not None
        return fault


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Post:
    """The rows, and who sends them."""

    mails: StoredMails
    queue: StoredDeliveryQueue
    senders: list[Sender]
    tasks: list["asyncio.Task[None]"]

    async def ask(self, number: int = 1, **changes: Any) -> list[str]:
        """So many new mails, each to an address of its own; their ids."""
        return [mail.id for mail in await self.mails.add([_wanted(**changes) for _ in range(number)])]

    async def ask_once(self, policy: Policy = Policy.AT_LEAST_ONCE, **changes: Any) -> str:
        (mail_id,) = await self.ask(policy=policy, **changes)
        return mail_id

    async def mail(self, mail_id: str) -> Mail:
        return (await self._found(mail_id))[0]

    async def history(self, mail_id: str) -> list[MailState]:
        return [event.state for event in (await self._found(mail_id))[1]]

    async def counted(self) -> dict[MailState, int]:
        """Those that there are."""
        return {state: count for state, count in (await self.mails.counted()).items() if count}

    async def all(self) -> list[Mail]:
        return list(await self.mails.select(MailFilter(None, None, None, None, 10_000)))

    async def until(self, mail_id: str, *states: MailState, within_s: float = 10.0) -> Mail:
        await eventually(lambda: self._is_in(mail_id, states), within_s)
        return await self.mail(mail_id)

    async def until_counted(self, wanted: dict[MailState, int], within_s: float = 20.0) -> None:
        await eventually(lambda: self._is_counted(wanted), within_s)

    async def stop(self) -> None:
        for sender in self.senders:
            sender.stop()
        await asyncio.gather(*self.tasks)

    async def _found(self, mail_id: str) -> tuple[Mail, list[MailEvent]]:
        found = await self.mails.find(mail_id)
        assert found is not None
        return found[0], list(found[1])

    async def _is_in(self, mail_id: str, states: tuple[MailState, ...]) -> bool:
        return (await self.mail(mail_id)).state in states

    async def _is_counted(self, wanted: dict[MailState, int]) -> bool:
        return await self.counted() == wanted


def _wanted(**changes: Any) -> MailRequest:
    return wanted(recipient=f"user-{random.getrandbits(48):x}@mail.test", **changes)


@asynccontextmanager
async def post(store: Kept, sink: Sink, senders: int = 1, **changes: Any) -> AsyncIterator[Post]:
    """At work until the block ends. `changes`: of the senders' tools, `timeouts`, `wrap` (of what they see of rows)."""
    transport = SmtpTransport(Provider("127.0.0.1", sink.port), timeouts := changes.pop("timeouts", LONG))
    throttle, lease = Throttle(breaker_limits=BREAKER_LIMITS), timedelta(seconds=timeouts.total_s + 5)
    mails = StoredMails(store.database, store.tables, now)
    queue = StoredDeliveryQueue(store.database, store.tables, now)
    seen = changes.pop("wrap", lambda rows: rows)(queue)
    context = SenderContext(
        seen, WRITER, transport, throttle, lease, now, random.random, RETRY_POLICY, look_every_s=0.1
    )
    made = [Sender(replace(context, **changes)) for _ in range(senders)]
    tasks = [asyncio.create_task(sender.run()) for sender in made]
    try:
        yield Post(mails, queue, made, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await transport.aclose()


async def eventually(is_so: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not await is_so():
        assert time.monotonic() < deadline, "it did not come in time"
        await asyncio.sleep(0.05)


def order_of(sink: Sink) -> list[str]:
    """The ids of mails, as they came."""
    return [taken.id for taken in sink.taken]


def deliveries(sink: Sink) -> Counter[int]:
    """How often once, how often twice…"""
    return Counter(sink.counts.values())
