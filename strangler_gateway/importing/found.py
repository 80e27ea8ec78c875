"""What was found in another proxy's configuration."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_BYTES = 4 << 20
MAX_ROUTES = 5000
MOST_FOUND = 4 * MAX_ROUTES
"""With those that are never reached."""
MOST_PROBLEMS = 200
LONGEST_PROBLEM = 300


class ImportRefused(ValueError):
    """The configuration cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class FoundEnd:
    """Where requests go. `weight`: any positive number; `rewrite`: a template of the path, None: as sent."""

    service: str
    weight: float = 1.0
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class FoundRoute:
    """`path` as routes.yaml writes it. `methods` None: every method. `guesses`: what may be otherwise."""

    line: int
    path: str
    methods: frozenset[str] | None
    ends: tuple[FoundEnd, ...]
    guesses: tuple[str, ...] = ()


@dataclass(slots=True)
class FoundConfiguration:
    """Filled by a reader. `urls`: by service; one without is known by name alone."""

    routes: list[FoundRoute] = field(default_factory=list)
    urls: dict[str, list[str]] = field(default_factory=dict)
    folds_case: bool = False
    ignores_slash: bool = False
    problems: dict[str, list[int]] = field(default_factory=dict)
    """What was not understood: the sentence, and its lines."""

    def problem(self, line: int, what: str) -> None:
        """Bounded: later ones are counted with the first of the same words."""
        what = what if len(what) <= LONGEST_PROBLEM else f"{what[:LONGEST_PROBLEM]} …"
        if what in self.problems or len(self.problems) < MOST_PROBLEMS:
            self.problems.setdefault(what, []).append(line)

    def add(
        self,
        line: int,
        paths: Iterable[tuple[str, tuple[str, ...]]],
        methods: frozenset[str] | None,
        ends: tuple[FoundEnd, ...],
    ) -> None:
        """One route for each path, which comes with its guesses. Raises ImportRefused."""
        if len(self.routes) >= MOST_FOUND:
            raise ImportRefused(f"line {line}: more than {MOST_FOUND} routes; at most {MAX_ROUTES} are taken")
        for path, guesses in paths:
            self.routes.append(FoundRoute(line, path, methods, ends, guesses))
