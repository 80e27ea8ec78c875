"""What people are told of a plan: it has moved, has gone back, or needs somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.table.position import Position, place

NoticeEvent = Literal["advanced", "rolled_back", "held_back", "probe", "needs_person"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. `says`: a sentence for people. `at`: Unix seconds."""

    event: NoticeEvent
    unit: str
    position: Position
    says: str
    at: float
    evidence: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As webhooks and commands get it."""
        said: dict[str, Any] = {
            "event": self.event,
            "group": self.unit,
            "position": place(self.position),
            "says": self.says,
            "at": iso(self.at),
        }
        return said | ({"evidence": dict(self.evidence)} if self.evidence is not None else {})
