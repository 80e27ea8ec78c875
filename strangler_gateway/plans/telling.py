"""Says what plans do: in the log and to people; and asks for a person once for each thing, until it is over."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from strangler_gateway.plans.decide import Reason
from strangler_gateway.plans.notices import Notice, NoticeEvent
from strangler_gateway.plans.standings import PlanStandings
from strangler_gateway.table.rules.plan import PlanRules

log = logging.getLogger(__name__)

About = Literal["step", "failures", "breach"]


class Telling:
    """`tell`: never waits."""

    def __init__(self, here: PlanStandings, tell: Callable[[PlanRules, Notice], None]) -> None:
        self._here, self._tell = here, tell
        self._asked: dict[tuple[str, About], frozenset[str]] = {}
        """What a person was asked for, and it is not over."""

    def say(
        self, event: NoticeEvent, unit: str, rules: PlanRules, says: str, evidence: Mapping[str, Any] | None = None
    ) -> None:
        """Of a movable, where it stands now."""
        log.info("plan of %s: %s: %s", unit, event.replace("_", " "), says)
        position = self._here.standing(unit).position
        self._tell(rules, Notice(event, unit, position, says, self._here.moment.now, evidence))

    def ask(self, unit: str, rules: PlanRules, needed: Sequence[Reason], about: About) -> None:
        """Asks for a person where it was not asked already; what is not needed any more is over."""
        before = self._asked.get((unit, about), frozenset())
        self._asked[unit, about] = frozenset(one.code for one in needed)
        for one in needed:
            if one.code not in before:
                self.say("needs_person", unit, rules, one.says)

    def needed(self, unit: str) -> frozenset[str]:
        """What a person is asked for: codes of reasons."""
        return frozenset().union(*(codes for (asked, _), codes in self._asked.items() if asked == unit))

    def over(self, unit: str, about: About) -> None:
        """Nobody is needed any more."""
        self._asked.pop((unit, about), None)
