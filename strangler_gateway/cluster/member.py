"""A gateway as the others see it: one key in the store, and how it is read. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """`run`: random, new at every start; `admin`: the URL of its admin port; `at`: Unix seconds of the last report.

    `serves`: by group, the hash of the record that it has journalled and serves (control plane §1).
    """

    name: str
    run: str = ""
    admin: str = ""
    at: float = 0.0
    serves: Mapping[str, str] | None = None
    """None: its key cannot be read."""

    def encode(self) -> bytes:
        """The value of its key."""
        value = {"run": self.run, "admin": self.admin, "at": round(self.at, 3), "serves": dict(self.serves or {})}
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    def reports(self, group: str, record: str) -> bool:
        """Whether it serves this record of the group."""
        return self.serves is not None and self.serves.get(group) == record


def decode(name: str, value: bytes) -> ClusterMember:
    """The member behind a key; one whose key cannot be read is a member too, which reports nothing."""
    try:
        raw = json.loads(value)
        serves = {_text(group): _text(record) for group, record in raw["serves"].items()}
        return ClusterMember(name, _text(raw["run"]), _text(raw["admin"]), float(raw["at"]), serves)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return ClusterMember(name)


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise TypeError("not a short text")
    return raw
