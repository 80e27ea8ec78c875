"""The bodies of requests to the admin API, checked."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from strangler_gateway.cluster.record import MAX_TEXT
from strangler_gateway.cluster.record_json import parse_name
from strangler_gateway.recording.record import RecordingRequest
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState

Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]


def _step(share: float) -> float:
    if abs(share * 100 - round(share * 100)) > 1e-6:
        raise ValueError("a share has at most two decimals (steps of 0.01)")
    return share


Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), AfterValidator(_step)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str = Field("", max_length=100)
    """What the caller says; journalled with the address."""
    why: Text = ""


class Flip(_Body):
    """A move of a movable. `share` in per cent, only with canary."""

    unit: Name
    to: MigrationState
    share: Share | None = None
    force: bool = False
    dry_run: bool = False
    report: dict[str, Any] | None = None
    """The signed retire report, with `retired` alone."""
    guard_s: float | None = Field(None, gt=0, le=86_400, allow_inf_nan=False)
    """So long the gateway itself watches the movable afterwards, and rolls it back at the first alarm."""

    @model_validator(mode="after")
    def _guarded(self) -> "Flip":
        if self.guard_s is not None and self.to in (MigrationState.LEGACY, MigrationState.RETIRED):
            raise ValueError(f"a move to {self.to} has no guard: only shadow, canary and extracted can go back")
        return self

    @model_validator(mode="after")
    def _share_with_canary(self) -> "Flip":
        if (self.to is MigrationState.CANARY) != (self.share is not None):
            wanted = (
                "canary needs a share (0 to 100)"
                if self.share is None
                else f"only canary has a share; leave it out for {self.to}"
            )
            raise ValueError(wanted)
        return self

    @model_validator(mode="after")
    def _report_with_retired(self) -> "Flip":
        if self.report is not None and self.to is not MigrationState.RETIRED:
            raise ValueError(f"a report belongs to a move to retired, not to {self.to}")
        return self

    @property
    def position(self) -> Position:
        """Where the movable has to go."""
        return Position(self.to, round((self.share or 0) * 100))


class One(_Body):
    """One movable."""

    unit: Name


class OneOrAll(_Body):
    """One movable or all: for a rollback all that have left legacy, for a release all that are on hold."""

    unit: Name | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one(self) -> "OneOrAll":
        if (self.unit is None) != self.all:
            raise ValueError("name a unit or set all, not both")
        return self


class Rollback(OneOrAll):
    """`names`: by movable, how another gateway has called the same rollback; of others, a new name."""

    names: dict[Name, Annotated[str, Field(max_length=100)]] = Field({}, max_length=1000)

    @field_validator("names")
    @classmethod
    def _are_names(cls, names: dict[str, str]) -> dict[str, str]:
        for text in names.values():
            parse_name(text)
        return names


class Unpark(_Body):
    """Something that is to be done with a parked item of a service's queue."""

    service: Name
    queue: Name
    id: Name
    action: Annotated[str, Field(max_length=20)]
    why: Annotated[str, Field(max_length=500)] = ""

    @field_validator("why")
    @classmethod
    def _says_why(cls, why: str) -> str:
        if not why.strip():
            raise ValueError("say why: it is logged, here and in the service")
        return why.strip()


class Record(_Body):
    """A recording: for how long, how many exchanges, of which route, of which share of the callers in per cent."""

    for_s: float = Field(600.0, gt=0, le=86_400, allow_inf_nan=False)
    max: int = Field(1000, ge=1, le=100_000)
    route: Name | None = None
    share: Share = 100.0

    @property
    def wanted(self) -> RecordingRequest:
        """The same, as the recorder takes it."""
        return RecordingRequest(self.for_s, self.max, self.route, round(self.share * 100))
