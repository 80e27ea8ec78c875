"""What a side was asked for: methods with the status class of the answer, and users' roles, each with its last day."""

from collections.abc import Iterable
from typing import Any, Final

DAY_S: Final = 86_400.0
MOST: Final = 64
"""Of each sort; anybody may send any method. More are not told apart."""
_KNOWN: Final = 256


class Exercised:
    """Of one route and side. A day is a number since 1970, in UTC."""

    __slots__ = ("answers", "known", "roles")

    def __init__(self) -> None:
        self.answers: dict[tuple[bytes, int], int] = {}
        self.roles: dict[tuple[str, ...], int] = {}
        self.known: set[tuple[bytes, int, tuple[str, ...], int]] = set()
        """What `saw` need not be told again: almost every request."""

    def saw(self, method: bytes, status: int, roles: tuple[str, ...], day: int) -> None:
        """It has answered. `roles`: of the user, where one is known."""
        answer = method, status // 100
        if self.answers.get(answer) != day and (answer in self.answers or len(self.answers) < MOST):
            self.answers[answer] = day
        if roles and self.roles.get(roles) != day and (roles in self.roles or len(self.roles) < MOST):
            self.roles[roles] = day
        if len(self.known) >= _KNOWN:
            self.known.clear()
        self.known.add((method, status, roles, day))

    def methods(self, since: int) -> dict[str, int]:
        """Those of that day or later, each with its last day."""
        return _latest(since, ((method.decode("latin-1")[:16], day) for (method, _), day in self.answers.items()))

    def classes(self, since: int) -> dict[str, int]:
        """Status classes, likewise."""
        return _latest(since, ((f"{number}xx", day) for (_, number), day in self.answers.items()))

    def each_role(self, since: int) -> dict[str, int]:
        """Roles, likewise."""
        return _latest(since, ((role[:64], day) for roles, day in self.roles.items() for role in roles))

    def snapshot(self) -> list[Any]:
        """As JSON-able values."""
        answers = [[method.decode("latin-1"), number, day] for (method, number), day in self.answers.items()]
        return [answers, [[list(roles), day] for roles, day in self.roles.items()]]

    def add(self, saved: Any) -> None:
        """Adds a snapshot. Raises TypeError, ValueError, AttributeError."""
        answers, roles = saved
        for method, number, day in answers:
            _join(self.answers, (str(method).encode("latin-1"), int(number)), int(day))
        for names, day in roles:
            _join(self.roles, tuple(map(str, names)), int(day))


def missing(legacy: Exercised, new: Exercised, since: int) -> list[tuple[str, str, int]]:
    """What legacy was asked for since that day and the new side was not: sort, name, legacy's last day."""
    sides = (
        ("method", legacy.methods(since), new.methods(since)),
        ("status", legacy.classes(since), new.classes(since)),
        ("role", legacy.each_role(since), new.each_role(since)),
    )
    if legacy.answers and not new.methods(since):
        days = legacy.methods(since).values()
        return [("", "", max(days))] if days else []
    return [(sort, name, day) for sort, ours, theirs in sides for name, day in ours.items() if name not in theirs]


def _latest(since: int, found: Iterable[tuple[str, int]]) -> dict[str, int]:
    days: dict[str, int] = {}
    for name, day in found:
        if day >= since:
            days[name] = max(days.get(name, 0), day)
    return dict(sorted(days.items()))


def _join(known: dict[Any, int], key: Any, day: int) -> None:
    if key in known or len(known) < MOST:
        known[key] = max(known.get(key, 0), day)
