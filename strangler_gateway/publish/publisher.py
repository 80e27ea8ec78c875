"""Publishes a request as a message: the broker confirms it, then the consumer's outcome is waited for."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import BrokerUnavailable, MessagingError
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.publish import answers
from strangler_gateway.publish.body import Unpublishable, body_limit, check_form, key_of, read_body
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.publish.message import envelope, message_id, traceparent
from strangler_gateway.publish.waiting import ConsumerOutcome, TooManyWaiting
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.publish_stats import SILENT, UNKNOWN, Published
from strangler_gateway.telemetry.request_traces import RequestTraces
from strangler_gateway.telemetry.stats import Stats


class NotSent(MessagingError):
    """There is no broker to send it to."""


class OutcomeUnknown(MessagingError):
    """A consumer answered what routes.yaml has no answer for."""


class RequestPublisher:
    """One per process."""

    def __init__(
        self,
        publishing: Publishing,
        stats: Stats,
        throttle: LogThrottle,
        clocks: Clocks,
        traces: RequestTraces | None = None,
    ) -> None:
        self.publishing, self.throttle, self.clocks, self.traces = publishing, throttle, clocks, traces
        self._stats = stats

    def accept(self, exchange: Exchange, rules: PublishRules) -> "PublishRequest":
        """A request whose head is fit to become a message. Raises Unpublishable."""
        stats = self._stats.published.setdefault(exchange.route.id, Published())
        identity = exchange.identity
        try:
            if identity is None or not identity.subject:
                raise Unpublishable(401, "Authentication is required.")
            check_form(exchange.fields)
            return PublishRequest(self, exchange, rules, stats, identity.subject, key_of(exchange.fields))
        except Unpublishable:
            stats.failed("invalid")
            raise


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """One request on its way to the broker. A message that was sent stays sent, whoever leaves."""

    publisher: RequestPublisher
    exchange: Exchange
    rules: PublishRules
    stats: Published
    subject: str
    key: str | None

    @property
    def limit(self) -> int:
        """Bytes that the body may have."""
        return body_limit(self.exchange.route.max_body)

    def too_long(self) -> Reply:
        """The answer to a longer body."""
        self.stats.failed("invalid")
        return Reply(413, "http_request_error", f"The body is longer than {self.limit} bytes.", close=True)

    async def answer(self, body: bytes) -> Reply:
        """Publishes the body, and answers with the outcome; 202 where there is none in time."""
        try:
            return await self._publish(read_body(body, self.rules.body))
        except Unpublishable as exc:
            self.stats.failed("invalid")
            return Reply(exc.status, "http_request_error", exc.message)
        except MessageInvalid:
            self.stats.failed("invalid")
            return Reply(400, "http_request_error", "The body cannot become a message: too long, or no plain JSON.")
        except TooManyWaiting:
            self.stats.failed("busy")
            return answers.busy()
        except MessagingError as error:
            return self._failed(error)

    async def _publish(self, body: dict[str, object]) -> Reply:
        """Raises MessagingError, MessageInvalid, TooManyWaiting."""
        now, publishing, rules = self.publisher.clocks.now, self.publisher.publishing, self.rules
        begun = now()
        message = self._message(body, await self._reply_to())
        with publishing.waiting.place(message) as coming:
            await publishing.send(rules, message, max(rules.confirm_s - (now() - begun), 0.1))
            self.stats.confirmed += 1
            self.stats.confirm.add(now() - begun)
            await asyncio.wait([coming], timeout=rules.wait_s)
            if not coming.done():
                self.stats.ended(SILENT)
                return answers.accepted(rules, message.id)
            self.stats.reply.add(now() - begun)
            return self._told(coming.result(), message.id)

    async def _reply_to(self) -> str:
        """Where this process hears the consumer's outcome. Raises NotSent."""
        try:
            async with asyncio.timeout(self.rules.confirm_s):
                return await self.publisher.publishing.key(self.rules.replies)
        except TimeoutError:
            raise NotSent("the broker does not answer") from None
        except MessagingError as error:
            raise NotSent(str(error)) from error

    def _message(self, body: dict[str, object], reply_to: str) -> Envelope:
        clocks, exchange = self.publisher.clocks, self.exchange
        return envelope(
            self.rules.type,
            body,
            id=message_id(self.subject, exchange.route.id, self.key, clocks.random_bytes),
            subject=self.subject,
            time=datetime.fromtimestamp(clocks.wall(), UTC),
            traceparent=self._traceparent(),
            reply_to=reply_to,
        )

    def _traceparent(self) -> str:
        exchange, traces = self.exchange, self.publisher.traces
        if exchange.trace is not None:
            return exchange.trace.span.traceparent
        given = traceparent(exchange.fields, self.publisher.clocks.random_bytes)
        return given if traces is None else traces.decided(exchange, given)

    def _told(self, outcome: ConsumerOutcome, message: str) -> Reply:
        """An outcome word that routes.yaml does not have must not lose the message: 202, and a line in the log."""
        rule = self.rules.outcome(outcome.word)
        self.stats.ended(UNKNOWN if rule is None else rule.word)
        if rule is None:
            unknown = f"the consumer answered {outcome.word[:40]!r}, which `outcomes:` does not have"
            self._warn(OutcomeUnknown(unknown))
            return answers.accepted(self.rules, message)
        return answers.told(self.rules, rule, outcome, message)

    def _failed(self, error: MessagingError) -> Reply:
        """The log's stage names the broker. What was not sent, and what it refused, is certainly nowhere."""
        self.exchange.stage = b"publish"
        self._warn(error)
        if isinstance(error, BrokerUnavailable):
            self.stats.failed("unconfirmed")
            return answers.unconfirmed(self.key is not None)
        self.stats.failed("unsent" if isinstance(error, NotSent) else "refused")
        return answers.untaken()

    def _warn(self, error: MessagingError) -> None:
        self.publisher.throttle.warn(f"publish of {self.exchange.route.id}", error)
