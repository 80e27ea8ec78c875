"""The fields of `plan:`, with their defaults; `checks/plans.py` judges what spans several of them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from strangler_gateway.config import field_types as t
from strangler_gateway.config.strict_model import StrictModel
from strangler_gateway.table.rules.plan import parse_step
from strangler_gateway.table.rules.time_window import parse_window

_MOST_STEPS = 50


def _step(value: str) -> str:
    parse_step(value)
    return value


def _window(value: str) -> str:
    parse_window(value)
    return value


def _holdback(value: float) -> float:
    if not 0.0001 <= value <= 0.5:
        raise ValueError('wanted a percentage from "0.01%" to "50%"')
    return value


Step = Annotated[str, AfterValidator(_step)]
Window = Annotated[str, AfterValidator(_window)]
Holdback = Annotated[t.Part, AfterValidator(_holdback)]
Argument = Annotated[str, Field(max_length=1000)]


class RequireEntry(StrictModel):
    """How good the new side has to be for a step. What is not written has the defaults of docs/routes.md."""

    parity: t.Part | None = None
    delta: t.Part | None = None
    p95_ratio: t.Ratio | None = None


class NotifyEntry(StrictModel):
    """Who is told when the plan has moved, has gone back, or needs a person."""

    webhook: t.Url | None = None
    command: list[Argument] = Field(default=[], max_length=50)

    @model_validator(mode="after")
    def _somebody(self) -> "NotifyEntry":
        if self.webhook is None and not self.command:
            raise ValueError("names nobody; write webhook: https://…, or command: [program, argument]")
        return self


class PlanEntry(StrictModel):
    """How a group may move by itself."""

    steps: list[Step] = Field(min_length=1, max_length=_MOST_STEPS)
    auto: bool = False
    require: RequireEntry = RequireEntry()
    on_breach: Literal["rollback", "hold"] | None = None
    window: Window | None = None
    approve: list[Step] = Field(default=[], max_length=_MOST_STEPS)
    holdback: Holdback | None = None
    cool_down: t.Duration = 600.0
    max_rollbacks: Annotated[int, Field(ge=0, le=100)] = 3
    notify: NotifyEntry | None = None
