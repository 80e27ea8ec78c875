"""What each service does wrong, or only seems to. A request is drawn by the seed alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass

LEGACY_S, NEW_S = 0.010, 0.010
"""What a healthy answer takes."""
ITEM = {"id": "1", "price": 10, "tags": ["a", "b"]}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as an upstream sees it. `chance`: from 0 to 1. `at`: seconds since the traffic began."""

    is_new: bool
    method: str
    user: str
    at: float
    chance: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What the upstream answers, after so many seconds."""

    status: int = 200
    body: bytes = json.dumps(ITEM).encode()
    seconds: float = NEW_S


@dataclass(frozen=True, slots=True)
class Fault:
    """`start`: where the group stands at the beginning. `per_second`: requests of all its users."""

    name: str
    start: str
    answer: Callable[[Asked], Answered]
    per_second: float = 40.0
    writes: float = 0.0
    """The part of the requests that are POST."""


FAILED = Answered(503, b'{"message": "broken"}')


def _fails_sometimes(asked: Asked) -> Answered:
    return FAILED if asked.is_new and asked.chance < 0.05 else Answered()


def _slower(asked: Asked) -> Answered:
    return Answered(seconds=NEW_S * 1.3 if asked.is_new else LEGACY_S)


def _other_order(asked: Asked) -> Answered:
    return Answered(body=json.dumps(dict(reversed(ITEM.items()))).encode()) if asked.is_new else Answered()


def _other_type(asked: Asked) -> Answered:
    return Answered(body=json.dumps(ITEM | {"price": "10"}).encode()) if asked.is_new else Answered()


def _fails_teachers(asked: Asked) -> Answered:
    return FAILED if asked.is_new and asked.user.startswith("teacher") else Answered()


def _fails_writes(asked: Asked) -> Answered:
    return FAILED if asked.is_new and asked.method == "POST" else Answered()


def _flaps(asked: Asked) -> Answered:
    return FAILED if asked.is_new and asked.at % 6 < 3 and asked.chance < 0.5 else Answered()


def _legacy_fails(asked: Asked) -> Answered:
    return FAILED if not asked.is_new and asked.at > 3 and asked.chance < 0.5 else Answered()


def _everything_fails(asked: Asked) -> Answered:
    return FAILED if asked.at > 3 and asked.chance < 0.5 else Answered()


CANARY_10, CANARY_50, SHADOW = "canary, share: 10", "canary, share: 50", "shadow"
FAULTS = (
    Fault("sometimes", CANARY_10, _fails_sometimes, per_second=250),
    Fault("slower", SHADOW, _slower),
    Fault("order", SHADOW, _other_order),
    Fault("type", SHADOW, _other_type),
    Fault("role", CANARY_50, _fails_teachers, per_second=80),
    Fault("writes", CANARY_10, _fails_writes, writes=0.3),
    Fault("flaps", CANARY_10, _flaps, per_second=80),
    Fault("monolith", CANARY_50, _legacy_fails),
    Fault("both", CANARY_50, _everything_fails),
)
