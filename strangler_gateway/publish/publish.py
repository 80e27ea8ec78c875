"""The end of a request that becomes a message: reads it, has the broker confirm it, waits for the consumer's word."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import BrokerUnavailable, MessagingError
from strangler_gateway.exchange.errors import ClientGone
from strangler_gateway.exchange.exchange import Exchange, Reply
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.publish import answers
from strangler_gateway.publish.body import Unfit, bound, check_form, key_of, read_body
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.publish.message import envelope, message_id, traceparent
from strangler_gateway.publish.waiting import TooManyWaiting, Word
from strangler_gateway.steps.forward import Receive
from strangler_gateway.table.publish_rules import Publish
from strangler_gateway.telemetry.publish_stats import SILENT, UNKNOWN, Published

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

_CONTINUE = ResponseHead(100, b"Continue", 11, [], [])


class NotSent(MessagingError):
    """There is no broker to send it to."""


class WordUnknown(MessagingError):
    """A consumer answered what routes.yaml has no answer for."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is fit to become a message."""

    rules: Publish
    subject: str
    key: str | None
    body: dict[str, object]


async def publish(gateway: "Gateway", x: Exchange, receive: Receive) -> Reply:
    """The answer. Raises ClientGone while the body arrives; a message that was sent stays, whoever leaves."""
    stats = gateway.stats.published.setdefault(x.route.id, Published())
    try:
        asked = await _asked(x, receive)
    except Unfit as unfit:
        stats.failed("invalid")
        return Reply(unfit.status, "http_request_error", unfit.message, close=unfit.status == 413)
    try:
        return await _sent(gateway, x, asked, stats)
    except MessageInvalid:
        stats.failed("invalid")
        return Reply(400, "http_request_error", "The body cannot become a message: too long, or no plain JSON.")
    except TooManyWaiting:
        stats.failed("busy")
        return answers.busy()
    except MessagingError as error:
        return _failed(gateway, x, asked, stats, error)


async def _asked(x: Exchange, receive: Receive) -> _Asked:
    """Raises Unfit, ClientGone."""
    rules, identity = x.publish, x.identity
    assert rules is not None  # decide has looked
    if identity is None or not identity.subject:
        raise Unfit(401, "Authentication is required.")
    check_form(x.fields)
    key = key_of(x.fields)
    return _Asked(rules, identity.subject, key, read_body(await _body(x, receive), rules.body))


async def _body(x: Exchange, receive: Receive) -> bytes:
    most = bound(x.route.max_body)
    too_long = Unfit(413, f"The body is longer than {most} bytes.")
    if (x.head.length or 0) > most:
        raise too_long
    if x.head.expect_continue and x.inform is not None:
        x.inform(_CONTINUE)
    data, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        data += message.get("body", b"")
        if len(data) > most:
            raise too_long
        more = message.get("more_body", False)
    return bytes(data)


async def _sent(gateway: "Gateway", x: Exchange, asked: _Asked, stats: Published) -> Reply:
    """Raises MessagingError, MessageInvalid, TooManyWaiting."""
    begun, rules, publishing = gateway.now(), asked.rules, gateway.publishing
    message = _message(gateway, x, asked, await _heard_at(publishing, rules))
    with publishing.waiting.place(message) as coming:
        await publishing.send(rules, message, max(rules.confirm_s - (gateway.now() - begun), 0.1))
        stats.confirmed += 1
        stats.confirm.add(gateway.now() - begun)
        await asyncio.wait([coming], timeout=rules.wait_s)
        if not coming.done():
            stats.ended(SILENT)
            return answers.accepted(rules, message.id)
        stats.reply.add(gateway.now() - begun)
        return _told(gateway, x, rules, coming.result(), message.id, stats)


def _message(gateway: "Gateway", x: Exchange, asked: _Asked, reply_to: str) -> Envelope:
    return envelope(
        asked.rules.type,
        asked.body,
        id=message_id(asked.subject, x.route.id, asked.key, gateway.random_bytes),
        subject=asked.subject,
        time=datetime.fromtimestamp(gateway.wall(), UTC),
        traceparent=traceparent(x.fields, gateway.random_bytes),
        reply_to=reply_to,
    )


def _told(gateway: "Gateway", x: Exchange, rules: Publish, word: Word, message: str, stats: Published) -> Reply:
    """A word that nobody has foreseen is no reason to lose the message: 202, and a line in the log."""
    rule = rules.outcome(word.outcome)
    stats.ended(UNKNOWN if rule is None else rule.word)
    if rule is None:
        unknown = WordUnknown(f"the consumer answered {word.outcome[:40]!r}, which `outcomes:` does not have")
        gateway.complaints.about(f"publish of {x.route.id}", unknown)
        return answers.accepted(rules, message)
    return answers.told(rules, rule, word, message)


def _failed(gateway: "Gateway", x: Exchange, asked: _Asked, stats: Published, error: MessagingError) -> Reply:
    """The log's stage says that it was the broker; what was not sent, and what it refused, is known to be nowhere."""
    x.stage = b"publish"
    gateway.complaints.about(f"publish of {x.route.id}", error)
    if isinstance(error, BrokerUnavailable):
        stats.failed("unconfirmed")
        return answers.unconfirmed(asked.key is not None)
    stats.failed("unsent" if isinstance(error, NotSent) else "refused")
    return answers.untaken()


async def _heard_at(publishing: Publishing, rules: Publish) -> str:
    """Raises NotSent."""
    try:
        async with asyncio.timeout(rules.confirm_s):
            return await publishing.key(rules.replies)
    except TimeoutError:
        raise NotSent("the broker does not answer") from None
    except MessagingError as error:
        raise NotSent(str(error)) from error
