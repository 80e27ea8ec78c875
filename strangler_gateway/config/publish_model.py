"""The fields of `publish:` in routes.yaml, with their defaults."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from strangler_gateway.config import field_types as t
from strangler_gateway.config.strict_model import StrictModel


class BodyFieldEntry(StrictModel):
    """One field of the JSON object that a request must contain."""

    type: Literal["string", "integer", "number", "boolean", "object", "array"]
    format: Literal["uuid"] | None = None
    max_length: t.Count = 1000
    required: bool = True

    @model_validator(mode="after")
    def _format(self) -> "BodyFieldEntry":
        if self.format and self.type != "string":
            raise ValueError(f"format {self.format} is for strings, and the type is {self.type}; change one of them")
        return self


class OutcomeEntry(StrictModel):
    """The answer for one result word of the consumer."""

    status: t.AnswerStatus
    message: str | None = Field(default=None, min_length=1, max_length=1000)
    body: str | None = Field(default=None, max_length=1 << 16)
    location: t.LocationTemplate | None = None
    retry_after_s: t.Count | None = None

    @model_validator(mode="after")
    def _bodiless(self) -> "OutcomeEntry":
        if self.status == 204 and (self.body is not None or self.message is not None):
            raise ValueError("204 has no body; remove body and message, or use another status")
        return self


class PublishEntry(StrictModel):
    """The new end of a route: a message, and how the consumer's result becomes the answer."""

    exchange: t.BrokerName
    type: t.MessageType
    body: dict[t.JsonName, BodyFieldEntry] = Field(default={})
    replies: t.BrokerName
    outcomes: dict[t.Name, OutcomeEntry] = Field(min_length=1)
    location: t.LocationTemplate | None = None
    wait_s: t.Patience = 2.0
    confirm_s: Annotated[t.Patience, Field(gt=0)] = 5.0
    queue: t.BrokerName | None = None
    headers: dict[t.Token, t.HeaderValue] = Field(default={})

    @model_validator(mode="after")
    def _known(self) -> "PublishEntry":
        strange = t.references(self.location or "") - {"message_id"}
        if strange:
            raise ValueError(f"location names {{{min(strange)}}}; before there is a reply only {{message_id}} is known")
        return self
