"""How a request becomes a message, and a consumer's word an answer: values, as routes.yaml says them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "integer", "number", "boolean", "object", "array"]


@dataclass(frozen=True, slots=True)
class BodyField:
    """One field of the request's JSON object. `max_length`: characters of a string, entries of an array."""

    name: str
    type: Kind
    format: Literal["uuid"] | None = None
    max_length: int = 1000
    required: bool = True


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """The answer to one word of the consumer. `location` and `body` are templates over the reply's texts."""

    word: str
    status: int
    message: str | None = None
    body: str | None = None
    location: str | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """The new end of a route that is no service but a message of this type in this exchange.

    `wait_s`: how long the consumer's word is waited for; `confirm_s`: how long the broker's confirm is.
    `queue`: what a flip looks for; `headers`: fields of every answer of this end.
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
        """None: routes.yaml does not know the word."""
        return next((rule for rule in self.outcomes if rule.word == word), None)

    def __str__(self) -> str:
        return f"message {self.type} to {self.exchange}"
