"""The fields of a service that protect it, and the gateway from it: breaker, queue, retry."""

from typing import Annotated, Literal

from pydantic import Discriminator, Tag, model_validator

from strangler_gateway.config import field_types as t
from strangler_gateway.config.strict_model import StrictModel


class BreakerEntry(StrictModel):
    """When the breaker opens, and how it closes again. What is not written has the defaults of docs/routes.md."""

    failures: t.Count | None = None
    errors: t.Part | None = None
    slow: t.Duration | None = None
    slow_calls: t.Part | None = None
    min: t.Count | None = None
    window: t.Duration | None = None
    open: t.Duration | None = None
    open_s: t.Seconds | None = None
    probes: t.Count | None = None

    @model_validator(mode="after")
    def _one_open_time(self) -> "BreakerEntry":
        if self.open is not None and self.open_s is not None:
            raise ValueError("open and open_s are the same time; keep open, with its unit")
        return self


BreakerChoice = Annotated[
    Annotated[Literal["off"], Tag(t.WORD)] | Annotated[BreakerEntry, Tag(t.MAPPING)],
    Discriminator(
        t.word_or_mapping,
        custom_error_type="breaker",
        custom_error_message="wanted off, or a mapping such as {errors: 50%, min: 100}",
    ),
]


class QueueEntry(StrictModel):
    """Where requests wait once the service has as many as it may have at once."""

    max: t.WholeNumber | None = None
    wait: t.Duration | None = None


class RetryEntry(StrictModel):
    """How many requests are sent a second time: a part of the recent ones, and `floor` in ten seconds on top."""

    budget: t.PartOrNone = 0.2
    floor: t.WholeNumber = 10
