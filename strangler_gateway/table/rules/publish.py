"""How a request becomes a message, and the consumer's result an answer: the values of `publish:`."""

from dataclasses import dataclass
from typing import Literal

JsonType = Literal["string", "integer", "number", "boolean", "object", "array"]


@dataclass(frozen=True, slots=True)
class BodyField:
    """One field of the request's JSON object. `max_length`: characters of a string, entries of an array."""

    name: str
    type: JsonType
    format: Literal["uuid"] | None = None
    max_length: int = 1000
    required: bool = True


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """The answer for one result word of the consumer. `location` and `body`: templates over the texts of its reply."""

    word: str
    status: int
    message: str | None = None
    body: str | None = None
    location: str | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class PublishRules:
    """The new end of a route that sends a message of this type to this exchange instead of calling a service.

    `wait_s`: the longest wait for the consumer's result; `confirm_s`: for the broker's confirm.
    `queue`: must exist before a flip; `headers`: fields of every answer of this end.
    """

    exchange: str
    type: str
    replies: str
    body: tuple[BodyField, ...] = ()
    wait_s: float = 2.0
    confirm_s: float = 5.0
    location: str | None = None
    outcomes: tuple[OutcomeRule, ...] = ()
    queue: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def outcome(self, word: str) -> OutcomeRule | None:
        """The rule for a word; None: routes.yaml does not have it."""
        return next((rule for rule in self.outcomes if rule.word == word), None)

    def __str__(self) -> str:
        return f"message {self.type} to {self.exchange}"
