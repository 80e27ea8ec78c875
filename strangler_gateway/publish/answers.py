"""What a client is told about its message. Pure."""

import json
import re
from urllib.parse import quote

from strangler_gateway.exchange.replies import Reply, ReplyContent
from strangler_gateway.publish.waiting import ConsumerOutcome
from strangler_gateway.table.rules.publish import OutcomeRule, PublishRules

RETRY_AFTER_S = 5
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_JSON = "application/json; charset=utf-8"
_AGAIN = "Send it again with the same Idempotency-Key: it stays the same message."
_AGAIN_KEYLESS = "Without an Idempotency-Key, a second attempt cannot be recognised as a repeat."

Field = tuple[bytes, bytes]


def told(rules: PublishRules, rule: OutcomeRule, outcome: ConsumerOutcome, message_id: str) -> Reply:
    """The answer to the consumer's outcome. A Location that the reply leaves open is the message's own."""
    values = {**dict(outcome.texts), "message_id": message_id}
    place = rule.location and (_path(rule.location, values) or _path(rules.location or "", values))
    fields = (*_location(place), *_retry_after(rule.retry_after_s))
    return Reply(rule.status, "", rule.message or "", fields, content=_content(rule, values))


def accepted(rules: PublishRules, message_id: str) -> Reply:
    """202: the broker has the message, and nobody has answered yet."""
    place = _path(rules.location or "", {"message_id": message_id})
    body = json.dumps({"statusCode": 202, "message": "Accepted; the outcome is not known yet.", "id": message_id})
    return Reply(202, "", "", _location(place), content=ReplyContent(_JSON, body))


def unconfirmed(has_key: bool) -> Reply:
    """The broker did not say that it has the message: it may have it, or not."""
    message = f"It is not known whether the message was accepted. {_AGAIN if has_key else _AGAIN_KEYLESS}"
    return Reply(503, "destination_unavailable", message, _retry_after(RETRY_AFTER_S))


def untaken() -> Reply:
    """The broker said no: the message is nowhere."""
    return Reply(
        503,
        "destination_unavailable",
        "The message was not accepted. Send the request again.",
        _retry_after(RETRY_AFTER_S),
    )


def busy() -> Reply:
    """Nothing was sent."""
    return Reply(
        503, "http_request_denied", "Too many requests wait for their outcome. Send it again.", _retry_after(1)
    )


def _content(rule: OutcomeRule, values: dict[str, str]) -> ReplyContent | None:
    """None: none, or shaped as errors are."""
    if rule.body is not None:
        return ReplyContent(_JSON, _NAME.sub(lambda found: _escaped(values.get(found[1], "")), rule.body))
    if rule.status >= 400 or rule.status == 204:
        return None
    return ReplyContent(
        _JSON, json.dumps({"statusCode": rule.status, "message": rule.message or "", "id": values["message_id"]})
    )


def _escaped(text: str) -> str:
    """As a text of JSON, which is safe in plain text too."""
    return json.dumps(text)[1:-1]


def _path(template: str, values: dict[str, str]) -> str | None:
    """None where it is empty, or names a text that is not there."""
    names = _NAME.findall(template)
    if not template or any(not values.get(name) for name in names):
        return None
    return _NAME.sub(lambda found: quote(values[found[1]], safe="", errors="replace"), template)


def _location(place: str | None) -> tuple[Field, ...]:
    return ((b"Location", place.encode("ascii")),) if place else ()


def _retry_after(seconds: int | None) -> tuple[Field, ...]:
    return ((b"Retry-After", b"%d" % seconds),) if seconds else ()
