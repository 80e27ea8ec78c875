"""The operators' status of a service: its queues, what is parked in them, and what may be done about it.

A service answers it as JSON; who shows it (the gateway) reads it as an answer from outside.
"""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MAX_QUEUES: Final = 100
MAX_PARKED: Final = 50
"""Shown of each queue."""
MAX_WORDS: Final = 500
"""Characters of a sentence."""


def _segment(value: str) -> str:
    """It becomes a segment of a path, in which dots alone mean another place."""
    if value in (".", ".."):
        raise ValueError("dots alone are not an id")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Name = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[str, Field(max_length=MAX_WORDS)]
Id = Annotated[str, Field(pattern=r"^[!-~]{1,200}$"), AfterValidator(_segment)]
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Status(BaseModel):
    """Members that are not known are left out: a newer service may have more."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ParkedItem(_Status):
    """Something that goes on only when an operator wants it. `what`: of which kind; `why`: the reason; no content."""

    id: Id
    what: Words = ""
    why: Words = ""
    at: Time | None = None


class QueueAction(_Status):
    """What may be done with each parked item: a POST of {"why", "by"} to the path, in which `{id}` is the item's.

    `warns`: what the operator should know before, as a sentence.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,19}$")]
    path: Annotated[str, Field(max_length=300, pattern=r"^(/[A-Za-z0-9._~-]+)*/\{id\}(/[A-Za-z0-9._~-]+)*$")]
    warns: Words = ""


class QueueStatus(_Status):
    """One queue. `oldest_s`: how long the oldest has been waiting; `state`: a word; `says`: what is wrong, if anything.

    `parked`: the first of them.
    """

    name: Name
    waiting: Annotated[int, Field(ge=0, le=10**15)] = 0
    oldest_s: Seconds | None = None
    state: Annotated[str, Field(max_length=40)] = "ok"
    says: Words = ""
    parked: Annotated[tuple[ParkedItem, ...], Field(max_length=MAX_PARKED)] = ()
    actions: Annotated[tuple[QueueAction, ...], Field(max_length=5)] = ()


class OperatorsStatus(_Status):
    """The whole answer."""

    queues: Annotated[tuple[QueueStatus, ...], Field(max_length=MAX_QUEUES)]


def read(answer: bytes) -> tuple[QueueStatus, ...]:
    """The queues that an answer tells of. Raises ValueError; its text repeats nothing of the answer."""
    try:
        queues = OperatorsStatus.model_validate_json(answer).queues
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place or 'the answer'}: {first['msg']}") from None
    if len({one.name for one in queues}) < len(queues):
        raise ValueError("queues: two have the same name")
    return queues


def shortened(text: str) -> str:
    """As a sentence of a status."""
    return text if len(text) <= MAX_WORDS else f"{text[: MAX_WORDS - 1]}…"
