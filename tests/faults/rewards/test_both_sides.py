"""The monolith and Learning at the same time: canary, rollback, and what each finds of the other's successes."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.system.rewarding import REWARD, RewardScene, unserialised

AT_ONCE, FLIPS = 4, 6


@pytest.fixture(autouse=True)
def extracted_again(lesson: RewardScene) -> Iterator[None]:
    """With `serialize: user`, as long as a share of the users is on the monolith."""
    lesson.scene.system.write_routes("extracted")
    lesson.scene.system.administer("POST", "/reload", {"who": "test"})
    yield
    lesson.scene.system.administer("POST", "/release", {"unit": "points", "who": "test", "why": "a fault test"})
    lesson.move("canary", 100)
    lesson.move("extracted")
    unserialised(lesson.scene)


def test_first_successes_at_once_on_both_sides_of_a_canary_pay_once(lesson: RewardScene) -> None:
    """The share goes up and down under them, so a student's requests are answered by both sides."""
    students, exercise = [lesson.student() for _ in range(4)], lesson.exercise()
    wanted = [(student, exercise) for student in students for _ in range(AT_ONCE)]
    with lesson.submitting(*wanted) as submissions:
        for number in range(FLIPS):
            lesson.move("canary", 100 if number % 2 else 1)
        replies = [submission.result() for submission in submissions]
    assert {reply.status for reply in replies} == {201}
    lesson.pays(*((student, REWARD) for student in students))


def test_a_success_of_either_side_is_none_for_the_other(lesson: RewardScene) -> None:
    ours, theirs, exercise = lesson.student(), lesson.student(), lesson.exercise()
    lesson.solved(ours, exercise)
    assert lesson.submit_to_monolith(theirs, exercise) is not None
    lesson.pays((ours, REWARD), (theirs, REWARD))
    lesson.solved(theirs, exercise)
    assert lesson.submit_to_monolith(ours, exercise) is not None
    lesson.pays((ours, REWARD), (theirs, REWARD))


@pytest.mark.parametrize("failpoint", ["learning.reward_intended", "learning.success_marked"])
def test_a_rollback_in_the_middle_of_a_reward_pays_it_once(lesson: RewardScene, failpoint: str) -> None:
    """Learning dies between two steps; the student is sent to the monolith, succeeds there, and Learning comes back."""
    student, exercise, learning = lesson.student(), lesson.exercise(), lesson.scene.system.learning
    learning.arm(f"{failpoint}=kill")
    with lesson.submitting((student, exercise)):
        assert learning.wait() == -signal.SIGKILL
    rolled = lesson.scene.system.administer("POST", "/rollback", {"unit": "points", "who": "test", "why": "it died"})
    assert rolled.status == 200
    lesson.solved(student, exercise)
    learning.start()
    lesson.pays((student, REWARD))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: lesson.solved(student, exercise), range(2)))
    lesson.pays((student, REWARD))
