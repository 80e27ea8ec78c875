"""SIGKILL between any two steps of a submission and of its reward; Runner dies in a run."""

import signal
from time import monotonic

import pytest

from tests.support.system.processes import Process
from tests.support.system.rewarding import REWARD, RewardScene
from tests.support.system.waiting import until

KILLS = {
    "learning, after the attempt is stored": ("learning", "learning.attempt_stored"),
    "learning, after the code has run": ("learning", "learning.code_run"),
    "learning, between the row and the success": ("learning", "learning.reward_intended"),
    "learning, between the success and the message": ("learning", "learning.success_marked"),
    "learning, before the message commits": ("learning", "learning.before_earn_commit"),
    "learning, after the message commits": ("learning", "learning.reward_earned"),
    "learning's relay, between the confirm and its mark": ("learning", "relay.confirmed"),
    "account, before the payment commits": ("account", "account.before_reward_commit"),
    "account, after the payment and before it acknowledges": ("account", "account.reward_paid"),
}
ANSWERS_WITHIN_S = 30  # below the time-out of a submission
SLOW = "import time; time.sleep(20); print(2 * int(input()))"


@pytest.mark.parametrize(("service", "failpoint"), KILLS.values(), ids=KILLS.keys())
def test_a_first_success_pays_once_though_a_service_is_killed(
    lesson: RewardScene, service: str, failpoint: str
) -> None:
    student, exercise = lesson.student(points=5), lesson.exercise()
    process: Process = getattr(lesson.scene.system, service)
    process.arm(f"{failpoint}=kill")
    with lesson.submitting((student, exercise)):
        assert process.wait() == -signal.SIGKILL
        process.start()
    lesson.solved(student, exercise)
    lesson.solved(student, exercise)
    lesson.pays((student, 5 + REWARD))
    assert lesson.attempts(student, exercise).keys() == {"lastAttempt", "lastSuccess"}


@pytest.mark.parametrize("failpoint", ["learning.reward_intended", "learning.success_marked"])
def test_what_a_kill_leaves_is_finished_without_another_request(lesson: RewardScene, failpoint: str) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    lesson.scene.system.learning.arm(f"{failpoint}=kill")
    with lesson.submitting((student, exercise)):
        assert lesson.scene.system.learning.wait() == -signal.SIGKILL
    assert lesson.state(student) == ["intended"]
    lesson.scene.system.learning.start()
    lesson.pays((student, REWARD))
    shown = lesson.attempts(student, exercise)
    assert shown["lastSuccess"]["data"] == shown["lastAttempt"]["data"]


def test_runner_dies_in_a_run_and_the_answer_comes_at_once(lesson: RewardScene) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    runner, learning = lesson.scene.system.runner, lesson.scene.system.learning
    with lesson.submitting((student, exercise), code=SLOW) as (submission,):
        until(lambda: lesson.attempts(student, exercise), "the attempt stored")
        began = monotonic()
        runner.kill()
        reply = submission.result()
        assert monotonic() - began < ANSWERS_WITHIN_S
    assert (reply.status, reply.json["message"]) == (500, "Internal Server Error")
    assert learning.is_running
    away = lesson.submit(student, exercise)
    assert away is not None
    assert away.status == 500
    assert "lastSuccess" not in lesson.attempts(student, exercise)
    runner.start()
    lesson.solved(student, exercise)
    lesson.pays((student, REWARD))
