"""The gateway's side of the broker: publishes, receives replies, and probes before a flip whether messages arrive."""

import asyncio
import contextlib

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import Broker, BrokerUnavailable, Delivery, MessagingError
from strangler_gateway.publish.waiting import MAX_WAITING, ConsumerOutcome, WaitingRequests
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.log_throttle import LogThrottle

PROBE_TIMEOUT_S = 2.0
_UNSET = "the gateway has no broker; set STRANGLER_BROKER_URL"


class ReplyInvalid(MessagingError):
    """A consumer's reply cannot be understood."""


class Publishing:
    """One per process. Without a broker every message is one that cannot be confirmed."""

    def __init__(self, broker: Broker | None = None, *, max_waiting: int = MAX_WAITING) -> None:
        self._broker = broker
        self._throttle = LogThrottle()
        self._keys: dict[str, asyncio.Task[str]] = {}
        self.waiting = WaitingRequests(max_waiting)

    async def key(self, exchange: str) -> str:
        """Where this process hears replies of that exchange, from the first use on. Raises MessagingError."""
        broker = self._known()
        asking = self._keys.get(exchange)
        if asking is None or (asking.done() and (asking.cancelled() or asking.exception())):
            asking = self._keys[exchange] = asyncio.create_task(broker.replies(exchange, self._hear))
        # Who asked first may leave; the others need the answer all the same.
        return await asyncio.shield(asking)

    async def send(self, rules: PublishRules, envelope: Envelope, timeout_s: float) -> None:
        """Returns when the broker has the message. Raises MessagingError, MessageInvalid."""
        await self._known().publish(rules.exchange, envelope, timeout_s=timeout_s)

    async def probe(self, rules: PublishRules) -> str | None:
        """None where a message of the route would arrive, as far as that can be seen without one; else a sentence."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                if rules.queue is None:
                    await self._known().ping()
                else:
                    await self._known().depth(rules.queue)
        except TimeoutError:
            return "the broker does not answer: start it, or check STRANGLER_BROKER_URL"
        except MessagingError as error:
            return f"a {rules} would not arrive: {error}"
        return None

    async def aclose(self) -> None:
        """Ends what waits for the broker, and its connections."""
        for asking in self._keys.values():
            asking.cancel()
        await asyncio.gather(*self._keys.values(), return_exceptions=True)
        if self._broker is not None:
            await self._broker.aclose()

    def _known(self) -> Broker:
        if self._broker is None:
            raise BrokerUnavailable(_UNSET)
        return self._broker

    async def _hear(self, delivery: Delivery) -> None:
        """A reply that nobody can use is told of in the log, not sent back: it would only come again."""
        with contextlib.suppress(MessageInvalid):
            reply = delivery.envelope()
            word = reply.body.get("outcome")
            if isinstance(word, str):
                texts = ((name, value) for name, value in reply.body.items() if isinstance(value, str))
                self.waiting.tell(reply, ConsumerOutcome(word, tuple(texts)))
                return
        wanted = "wanted a message with the text `outcome`"
        self._throttle.warn("reply", ReplyInvalid(f"a reply in {delivery.queue} cannot be read: {wanted}"))
