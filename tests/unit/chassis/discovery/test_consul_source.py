"""Which instances Consul's answers make, and when an answer is not believed."""

from collections.abc import Sequence
from typing import Any

import pytest

from chassis.consul.values import ConsulAway, Indexed, ServiceInstance
from chassis.discovery.consul import ConsulSource
from chassis.discovery.port import Instance, located
from chassis.discovery.target import DiscoveryTarget
from chassis.discovery.watch import SourceAway

A, B = located("10.0.0.1", 80), located("10.0.0.2", 80)
Answer = Indexed[tuple[ServiceInstance, ...]]


def row(instance: Instance, *, passing: bool = True) -> ServiceInstance:
    return ServiceInstance("any", "shop", instance.host, instance.port, passing=passing)


def answer(index: int, *rows: ServiceInstance) -> Answer:
    return Indexed(rows, index)


class Answers:
    """One for each change; what is read once more when it has settled is the same."""

    def __init__(self, answers: Sequence[Answer | None]) -> None:
        self._answers = list(answers)
        self._behind: Answer | None = None
        self.asked: list[int | None] = []

    async def instances(self, _name: str, *, index: int | None, **_rest: Any) -> Answer:
        if index is None and self._behind is not None:
            settled, self._behind = self._behind, None
            return settled
        self.asked.append(index)
        found = self._answers.pop(0)
        if found is None:
            raise ConsulAway("nobody there")
        self._behind = found if index is not None and found.index != index else None
        return found


async def judged(*answers: Answer | None) -> tuple[list[tuple[Instance, ...] | None], bool, list[int | None]]:
    """What each made (None: what was known stays), whether the last one was marked, the indexes asked behind."""
    consul = Answers(answers)
    source = ConsulSource(consul, DiscoveryTarget("consul", "shop"))  # type: ignore[arg-type]  # a double
    made: list[tuple[Instance, ...] | None] = []
    is_marked = False
    for _ in answers:
        try:
            found = await source.ask()
        except SourceAway:
            made.append(None)
            is_marked = True
        else:
            made.append(found.instances)
            is_marked = found.problem is not None
    return made, is_marked, consul.asked


async def test_instances_pass_their_checks_and_have_a_usable_address_and_count_once() -> None:
    odd = [row(located(host, port)) for host, port in (("", 80), ("10.0.0.3", 0), ("10.0.0.4", 70000), ("a b", 80))]
    rows = (row(B), row(A), row(A), row(located("10.0.0.5", 80), passing=False), *odd)
    made, is_marked, _ = await judged(answer(5, *rows))
    assert made == [(A, B)]
    assert not is_marked


@pytest.mark.parametrize(
    ("answers", "made", "is_marked"),
    [
        ([answer(5, row(A)), answer(6)], [(A,), ()], False),  # the last one is deregistered
        ([answer(5, row(A)), None, answer(6)], [(A,), None, None], True),  # wiped while it was away
        ([answer(5, row(A)), answer(4)], [(A,), None], True),  # restored to before
        ([answer(5, row(A)), None, answer(2), answer(3, row(A)), answer(4)], [(A,), None, None, (A,), ()], False),
        ([answer(5, row(A), row(B)), answer(6, row(A, passing=False))], [(A, B), (A,)], True),
        ([answer(5, row(A)), answer(6, row(B, passing=False))], [(A,), ()], False),
        ([answer(5, row(A, passing=False))], [()], False),  # it has never been healthy
        ([None, answer(5)], [None, ()], False),
    ],
)
async def test_an_answer_that_cannot_be_right_leaves_what_was_known(
    answers: list[Answer | None], made: list[tuple[Instance, ...] | None], is_marked: bool
) -> None:
    assert (await judged(*answers))[:2] == (made, is_marked)


async def test_an_instance_whose_check_comes_a_moment_later_does_not_count_as_healthy() -> None:
    class Settling:
        """Tells of a change at once, and of the check of what is new when it is asked again."""

        def __init__(self) -> None:
            self._asked = 0

        async def instances(self, _name: str, *, index: int | None, **_rest: Any) -> Answer:
            self._asked += 1
            return answer(5) if self._asked == 1 else answer(6, row(A, passing=index is not None))

    source = ConsulSource(Settling(), DiscoveryTarget("consul", "shop"))  # type: ignore[arg-type]  # a double
    assert [(await source.ask()).instances for _ in range(2)] == [(), ()]


async def test_it_waits_behind_the_index_and_asks_anew_when_that_goes_back_or_after_an_outage() -> None:
    rows = row(A)
    _, _, asked = await judged(
        answer(7, rows), answer(9, rows), answer(3, rows), answer(4, rows), None, answer(0, rows), answer(5, rows)
    )
    assert asked == [None, 7, 9, None, 4, None, None]
