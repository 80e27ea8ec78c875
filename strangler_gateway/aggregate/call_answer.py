"""What a call brought: a value, or why there is none. Answers of upstreams are read as strictly as requests. Pure."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from strangler_gateway.exchange.own_answers import reason_phrase
from strangler_gateway.exchange.replies import Reply, ReplyContent
from strangler_gateway.http.content_coding import TooLarge, Undecodable, decode
from strangler_gateway.http.fields import Pairs
from strangler_gateway.table.json_path import value_at
from strangler_gateway.table.rules.aggregate import CallRules

FailureReason = Literal[
    "status", "unreachable", "timeout", "too_long", "not_json", "missing", "not_called", "unauthenticated"
]
MAX_DEPTH = 64
_JSON = re.compile(rb"(?i)application/(?:[\w.-]+\+)?json[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?")
_PASSED_ON = frozenset((401, 403, 404, 429))
"""Statuses about the caller and what it asks for; all other failures are the gateway's."""
_PASSED_FIELDS = frozenset((b"www-authenticate", b"retry-after"))
_NOTHING = object()


class ByteBudget:
    """How many bytes all answers of one request may still bring."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, size: int) -> bool:
        """False, and takes none, if there are not so many left."""
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(frozen=True, slots=True)
class CallResponse:
    """How a call ended. `own`: the gateway's answer in place of the upstream's; `failed_at`: the stage."""

    status: int
    fields: Pairs
    body: bytes = field(repr=False)
    own: Reply | None = None
    failed_at: bytes = b""
    is_broken: bool = False
    is_too_long: bool = False


@dataclass(frozen=True, slots=True)
class CallValue:
    """JSON."""

    json: object


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why a call has no value; `reply`: the answer to the client if it cannot do without."""

    reason: FailureReason
    reply: Reply
    status: int | None = None

    @property
    def mark(self) -> dict[str, object]:
        """As the client is told; never in the upstream's words."""
        return {"reason": self.reason} | ({"status": self.status} if self.status is not None else {})


def failure_of(name: str, reason: FailureReason) -> CallFailure:
    """Of a call that has no usable answer."""
    if reason == "unauthenticated":
        challenge = (b"WWW-Authenticate", b"Bearer")
        return CallFailure(reason, Reply(401, "http_request_denied", "Authentication is required.", (challenge,)))
    return CallFailure(reason, Reply(502, "http_protocol_error", f"The call {name} failed: {reason}."))


def value_of(call: CallRules, answer: CallResponse, budget: ByteBudget) -> CallValue | CallFailure:
    """What the rules take of an answer."""
    if answer.own is not None:
        return _replaced(answer.own, answer.failed_at)
    if answer.is_broken or answer.is_too_long:
        return failure_of(call.name, "too_long" if answer.is_too_long else "unreachable")
    if not 200 <= answer.status <= 299:
        return _refused(call, answer, budget)
    try:
        document = read_json(answer, call.max_body, budget)
    except NotJson:
        return failure_of(call.name, "not_json")
    except TooLarge:
        return failure_of(call.name, "too_long")
    value = value_at(document, call.pointer, _NOTHING)
    return failure_of(call.name, "missing") if value is _NOTHING else CallValue(value)


def _replaced(own: Reply, failed_at: bytes) -> CallFailure:
    """The gateway has answered the call itself: in time or not, for the upstream or about the caller."""
    if own.status == 504:
        return CallFailure("timeout", own)
    return CallFailure("unreachable", own) if failed_at else CallFailure("status", own, own.status)


def _refused(call: CallRules, answer: CallResponse, budget: ByteBudget) -> CallFailure:
    """A refusal passes on as it came: the client gets the words that a request of its own would get."""
    status = answer.status
    if status not in _PASSED_ON:
        reply = Reply(502, "http_protocol_error", f"The call {call.name} failed: {status}.")
        return CallFailure("status", reply, status)
    fields = tuple(pair for pair in answer.fields if pair[0].lower() in _PASSED_FIELDS)
    try:
        text = json.dumps(read_json(answer, call.max_body, budget))
        content: ReplyContent | None = ReplyContent("application/json; charset=utf-8", text)
    except (NotJson, TooLarge):
        content = None
    return CallFailure("status", Reply(status, "", reason_phrase(status), fields, content=content), status)


class NotJson(ValueError):
    """The body is not JSON that every reader would read in the same way."""


def read_json(answer: CallResponse, max_body: int, budget: ByteBudget) -> object:
    """The document of an answer. Raises NotJson, TooLarge."""
    kinds = [value for name, value in answer.fields if name.lower() == b"content-type"]
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0].strip(b" \t")):
        raise NotJson("the media type is another one")
    try:
        plain = decode(answer.body, answer.fields, max_body)
    except Undecodable as error:
        raise NotJson("its content coding cannot be read") from error
    if not budget.take(len(plain) - len(answer.body)):
        raise TooLarge("all answers together are too long")
    return _parsed(plain)


def _parsed(plain: bytes) -> object:
    try:
        text = plain.decode("utf-8")
        value: object = json.loads(text, object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotJson("it cannot be read") from error
    if _is_too_deep(value):
        raise NotJson(f"it has more than {MAX_DEPTH} levels")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("a member occurs twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson("a number is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise NotJson(text)


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()
