"""Senders at work in this process: rows in a real database, a real mail server with faults, time compressed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chassis.store import StoreUnavailable
from extracted.mailer.delivery.composer import Composer
from extracted.mailer.delivery.outcomes import DeliveryRetryPolicy
from extracted.mailer.delivery.provider import Provider, SmtpTimeouts
from extracted.mailer.delivery.sender import Sender, SenderContext
from extracted.mailer.delivery.throttle import BreakerLimits, Throttle
from extracted.mailer.domain import Mail, MailState, Policy
from extracted.mailer.smtp_out.client import SmtpTransport
from extracted.mailer.storage.delivery_queue import StoredDeliveryQueue
from extracted.mailer.templating.templates import Templates
from extracted.mailer.templating.variables import Links
from tests.support.mail.smtp_faults import Fault, Faults, Moment
from tests.support.mail.smtp_sink import Sink
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


@dataclass(frozen=True)
class Post:
    """The rows, as senders see them, and who sends them."""

    store: Kept
    rows: "Rows"
    senders: list[Sender]
    tasks: list["asyncio.Task[None]"]

    async def ask(self, number: int = 1, policy: Policy = Policy.AT_LEAST_ONCE) -> str:
        """So many new mails, each to an address of its own; the id of the last."""
        people = [f"user-{random.getrandbits(48):x}@mail.test" for _ in range(number)]
        return (await self.store.mails.add([wanted(recipient=one, policy=policy) for one in people]))[-1].id

    async def until(self, mail_id: str, state: MailState, within_s: float = 60.0) -> Mail:
        async with asyncio.timeout(within_s):
            while (mail := await self.store.mail(mail_id)).state is not state:
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


class Rows:
    """A queue of which some calls fail as if the database was away; `calls` counts them all."""

    def __init__(self, queue: StoredDeliveryQueue, away: dict[str, int]) -> None:
        self._queue, self._away = queue, away
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*given: Any) -> Any:
            self.calls[name] += 1
            if self.calls[name] <= self._away.get(name, 0):
                raise StoreUnavailable("it is away")
            return await getattr(self._queue, name)(*given)

        return call


@asynccontextmanager
async def post(store: Kept, sink: Sink, senders: int = 1, **changes: Any) -> AsyncIterator[Post]:
    """At work until the block ends. `changes`: of the context, `timeouts`, `away` (which calls of rows fail)."""
    transport = SmtpTransport(Provider("127.0.0.1", sink.port), timeouts := changes.pop("timeouts", LONG))
    rows: Any = Rows(store.queue, changes.pop("away", {}))
    store.clock.runs = True
    context = SenderContext(
        queue=rows,
        compose=COMPOSER,
        transport=transport,
        throttle=Throttle(breaker_limits=BREAKER_LIMITS),
        lease=timedelta(seconds=timeouts.total_s + 5),
        clock=store.clock,
        chance=random.random,
        retry_policy=RETRY_POLICY,
        look_every_s=0.1,
    )
    made = [Sender(replace(context, **changes)) for _ in range(senders)]
    running = Post(store, rows, made, [asyncio.create_task(sender.run()) for sender in made])
    try:
        yield running
    finally:
        await running.end()
        await transport.aclose()


async def eventually(is_so: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.02)
