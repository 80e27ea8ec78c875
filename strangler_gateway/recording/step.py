"""A recording: JSON lines, of which the first describes the run and each other one is a step."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE = 16 * 1024 * 1024
CREDENTIALS = frozenset({"authorization", "cookie"})
"""Names of the request fields that say who asks."""
Pairs = tuple[tuple[str, str], ...]


class RecordingInvalid(ValueError):
    """The file is no recording; the message names the line."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One recorded exchange. `flags`: `text`: only that there is a body; `loose`: only status and fields count."""

    name: str
    method: str
    target: str = field(repr=False)
    fields: Pairs = field(repr=False)
    body: str = field(repr=False)
    status: int
    answer_fields: Pairs = field(repr=False)
    answer: str = field(repr=False)
    flags: frozenset[str] = frozenset()
    actor: str = ""
    """`anon`, or `u1`, `u2`, … by the credential."""

    @property
    def has_credential(self) -> bool:
        """Whether the caller had one."""
        return any(name.lower() in CREDENTIALS for name, _ in self.fields)

    def line(self) -> dict[str, Any]:
        """The step as a line of the file, JSON-able."""
        return {
            "step": self.name,
            "actor": self.actor,
            "method": self.method,
            "path": self.target,
            "request": {"headers": self.fields, "body": self.body or None},
            "response": {"status": self.status, "headers": self.answer_fields, "body": self.answer},
            "captures": {},
            "flags": sorted(self.flags),
        }


def load(path: Path) -> Sequence[RecordedStep]:
    """The steps in order. Raises OSError, RecordingInvalid."""
    with path.open("rb") as file:
        steps = list(_steps(file))
    if not steps:
        raise RecordingInvalid("it holds no step")
    return steps


def _steps(file: Any) -> Iterator[RecordedStep]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise RecordingInvalid(f"line {number} has more than {MAX_LINE} bytes")
        try:
            raw = json.loads(line)
            if "meta" not in raw:
                yield _step(raw)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise RecordingInvalid(f"line {number} is not a step of a recording ({type(exc).__name__})") from None


def _step(raw: dict[str, Any]) -> RecordedStep:
    sent, got = raw["request"], raw["response"]
    step = RecordedStep(
        name=str(raw["step"]),
        method=_text(raw["method"]),
        target=_text(raw["path"]),
        fields=_pairs(sent["headers"]),
        body=sent["body"] or "",
        status=int(got["status"]),
        answer_fields=_pairs(got["headers"]),
        answer=got["body"] or "",
        flags=frozenset(raw.get("flags", ())),
        actor=str(raw.get("actor", "")),
    )
    if not (step.method.isascii() and step.method.isalpha()) or not step.target.startswith(("/", "*")):
        raise ValueError("method or path")
    return step


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError("expected a printable text")
    return value


def _pairs(headers: Any) -> Pairs:
    return tuple((_text(name), _text(value)) for name, value in headers)
