"""Senders at work in this process: rows in a real database, a real mail server with faults, time compressed."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from extracted.mailer.delivery.composer import Composer
from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import Provider, SmtpTimeouts
from extracted.mailer.delivery.sender import Sender, SenderContext
from extracted.mailer.delivery.throttle import BreakerLimits, Throttle
from extracted.mailer.domain import Mail, MailState, Policy
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
COMPOSER = Composer(Templates(Links("https://www.polycode.test")), "PolyCode", "noreply@polycode.test")


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

    async def ask(self, number: int = 1, policy: Policy = Policy.AT_LEAST_ONCE) -> str:
        """So many new mails, each to an address of its own; the id of the last."""
        people = [f"user-{random.getrandbits(48):x}@mail.test" for _ in range(number)]
        return (await self.mails.add([wanted(recipient=one, policy=policy) for one in people]))[-1].id

    async def mail(self, mail_id: str) -> Mail:
        found = await self.mails.find(mail_id)
        assert found is not None
        return found[0]

    async def history(self, mail_id: str) -> list[MailState]:
        found = await self.mails.find(mail_id)
        assert found is not None
        return [event.state for event in found[1]]

    async def counted(self) -> dict[MailState, int]:
        """Those that there are."""
        return {state: count for state, count in (await self.mails.counted()).items() if count}

    async def until(self, mail_id: str, state: MailState, within_s: float = 10.0) -> Mail:
        async with asyncio.timeout(within_s):
            while (mail := await self.mail(mail_id)).state is not state:
                await asyncio.sleep(0.05)
        return mail

    async def stop(self) -> None:
        for sender in self.senders:
            sender.stop()
        await asyncio.gather(*self.tasks)

    async def end(self) -> None:
        """As a process ends whose grace is over."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def post(store: Kept, sink: Sink, senders: int = 1, **changes: Any) -> AsyncIterator[Post]:
    """At work until the block ends. `changes`: of the senders' context, `timeouts`, `wrap` (what they see of rows)."""
    transport = SmtpTransport(Provider("127.0.0.1", sink.port), timeouts := changes.pop("timeouts", LONG))
    mails = StoredMails(store.database, store.tables, now)
    queue = StoredDeliveryQueue(store.database, store.tables, now)
    context = SenderContext(
        queue=changes.pop("wrap", lambda rows: rows)(queue),
        compose=COMPOSER,
        transport=transport,
        throttle=Throttle(breaker_limits=BREAKER_LIMITS),
        lease=timedelta(seconds=timeouts.total_s + 5),
        clock=now,
        chance=random.random,
        retry_policy=RETRY_POLICY,
        look_every_s=0.1,
    )
    made = [Sender(replace(context, **changes)) for _ in range(senders)]
    running = Post(mails, queue, made, [asyncio.create_task(sender.run()) for sender in made])
    try:
        yield running
    finally:
        await running.end()
        await transport.aclose()


async def eventually(is_so: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.02)
