"""The fields of a service that protect it, and the gateway from it: breaker, queue, retry, balance."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

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


class EjectEntry(StrictModel):
    """When an instance is left out, and for how long; 0 switches a rule off."""

    failures: int = Field(default=5, ge=0, le=1_000_000)
    rate: t.PercentOrPart = 50.0
    out: t.Span | None = None
    out_s: t.Span | None = None
    max: t.PercentOrPart = 50.0

    @model_validator(mode="after")
    def _one_time(self) -> "EjectEntry":
        if self.out is not None and self.out_s is not None:
            raise ValueError("out and out_s are the same time; keep out, with its unit")
        return self


class BalanceEntry(StrictModel):
    """How requests are spread over the instances of a service."""

    slow_start: t.SpanOrNone | None = None
    slow_start_s: t.SpanOrNone | None = None
    eject: EjectEntry = EjectEntry()

    @model_validator(mode="after")
    def _one_time(self) -> "BalanceEntry":
        if self.slow_start is not None and self.slow_start_s is not None:
            raise ValueError("slow_start and slow_start_s are the same time; keep slow_start, with its unit")
        return self
