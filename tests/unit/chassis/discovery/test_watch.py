"""A watch: gives changes only, keeps what was known while its source is away, and says how fresh that is."""

import asyncio
from collections.abc import Sequence

import pytest

from chassis.discovery import watch as module
from chassis.discovery.port import Instance, located
from chassis.discovery.watch import SourceAnswer, SourceAway, Watch, delay_s

ONE, TWO = (located("127.0.0.1", 1),), (located("127.0.0.1", 1), located("::1", 2))


class Script:
    """Answers in this order, then never again."""

    def __init__(self, answers: Sequence[SourceAnswer | Exception]) -> None:
        self._answers = list(answers)

    async def ask(self) -> SourceAnswer:
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def given(watch: Watch, count: int) -> list[tuple[Instance, ...]]:
    found = []
    async with asyncio.timeout(60):
        async for instances in watch:
            found.append(instances)
            if len(found) == count:
                break
    return found


async def test_it_gives_what_has_changed_and_nothing_twice() -> None:
    script = [SourceAnswer(ONE), SourceAnswer(ONE), SourceAnswer(None, "odd"), SourceAnswer(TWO), SourceAnswer(())]
    assert await given(Watch("shop", Script(script)), 3) == [ONE, TWO, ()]


async def test_an_outage_is_marked_from_its_first_moment_and_ends_with_an_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.01)
    times = iter(range(100, 200))
    script: list[SourceAnswer | Exception]
    script = [SourceAnswer(ONE), SourceAway("nobody there"), SourceAway("still nobody"), SourceAnswer(TWO)]
    watch = Watch("shop", Script(script), wall=lambda: next(times))
    assert not watch.status.answered
    statuses = []
    async with asyncio.timeout(60):
        async for _ in watch:
            statuses.append(watch.status)
            if len(statuses) == 2:
                break
    assert [(one.answered, one.problem, one.since) for one in statuses] == [(True, None, 101), (True, None, 103)]
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert "nobody there; the last known ones stay in use" in said[0]
    assert "known again" in said[1]


async def test_a_fault_of_a_source_ends_no_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.01)
    assert await given(Watch("shop", Script([TypeError("a fault"), SourceAnswer(ONE)])), 1) == [ONE]
    assert "a fault" in caplog.text


def test_the_delay_doubles_to_half_a_minute_less_up_to_a_half_by_chance() -> None:
    assert [delay_s(failures, 0.0) for failures in (1, 2, 3, 20, 2000)] == [1, 2, 4, 30, 30]
    assert delay_s(1, 1.0) == 0.5
