"""Messages that come often, late and out of turn; a service or a store that is away; many at once."""

import uuid
from collections import Counter

from tests.support.system.rewarding import DOUBLE, REWARD, WRONG, RewardScene
from tests.support.system.waiting import until

QUEUE, EARNED = "account.rewards", "learning.reward_earned.v1"
MANY = 200


def test_every_message_comes_four_times_and_pays_once(lesson: RewardScene) -> None:
    lesson.scene.meddler.repeat(QUEUE, (0.05, 0.4, 1.2))
    students, exercise = [lesson.student() for _ in range(4)], lesson.exercise()
    for student in students:
        lesson.solved(student, exercise)
    lesson.scene.emptied()
    lesson.pays(*((student, REWARD) for student in students))


def test_a_message_that_is_late_is_overtaken_and_pays_then(lesson: RewardScene) -> None:
    student, first, second = lesson.student(), lesson.exercise(1), lesson.exercise(20)
    lesson.scene.meddler.delay(QUEUE, EARNED, 3)
    lesson.solved(student, first)
    lesson.scene.meddler.heal()
    lesson.solved(student, second)
    until(lambda: lesson.points(student), "the second one paid")
    lesson.pays((student, 21))


def test_a_message_that_comes_again_after_it_was_paid_changes_nothing(lesson: RewardScene) -> None:
    """After a minute or a year: nothing in Account forgets it. Also under a new id, and with other points."""
    student, exercise = lesson.student(), lesson.exercise()
    lesson.solved(student, exercise)
    books = lesson.at_rest()
    (reward_id,) = [id for id, row in books.rewards.items() if row["user_id"] == student.user_id]
    body = {"rewardId": reward_id, "userId": student.user_id, "amount": REWARD}
    lesson.scene.send(QUEUE, EARNED, body, id=reward_id)
    lesson.scene.send(QUEUE, EARNED, body)
    lesson.scene.send(QUEUE, EARNED, body | {"amount": 1000})
    lesson.scene.emptied()
    lesson.pays((student, REWARD))


def test_a_message_that_nobody_understands_is_kept_and_the_next_one_is_paid(lesson: RewardScene) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    wrong = lesson.scene.send(QUEUE, EARNED, {"rewardId": str(uuid.uuid4()), "userId": "nobody", "amount": 1})
    lesson.solved(student, exercise)
    lesson.pays((student, REWARD))
    until(lambda: wrong in lesson.scene.parked(QUEUE), "the wrong one kept for a human")


def test_a_reward_of_a_user_who_is_deleted_meanwhile_is_recorded_and_not_asked_again(lesson: RewardScene) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    lesson.scene.account.stop()
    lesson.solved(student, exercise)
    lesson.scene.system.data.delete_user(student.user_id)
    lesson.scene.account.start()
    assert student.user_id not in lesson.at_rest().points
    assert lesson.scene.parked(QUEUE).keys() == lesson.scene.parked(QUEUE).keys() - {student.user_id}


def test_while_account_is_away_students_succeed_and_are_paid_later(lesson: RewardScene) -> None:
    students, exercise = [lesson.student() for _ in range(3)], lesson.exercise()
    lesson.scene.account.kill()
    for student in students:
        lesson.solved(student, exercise)
    assert [lesson.state(student) for student in students] == [["earned"]] * 3
    assert [lesson.points(student) for student in students] == [0] * 3
    lesson.scene.account.start()
    lesson.pays(*((student, REWARD) for student in students))


def test_a_content_that_is_deleted_during_the_run_is_not_found_and_earns_nothing(lesson: RewardScene) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    slow = f"import time; time.sleep(2); {DOUBLE}"
    with lesson.submitting((student, exercise), code=slow) as (submission,):
        until(lambda: lesson.attempts(student, exercise), "the attempt stored")
        assert lesson.monolith("DELETE", f"/content/{exercise.content_id}", lesson.admin).status == 204
        reply = submission.result()
    assert (reply.status, reply.json["message"]) == (404, "Resource not found")
    assert lesson.attempts(student, exercise).keys() == {"lastAttempt"}
    assert lesson.state(student) == []
    lesson.pays((student, 0))


def test_first_successes_of_one_student_at_once_pay_once(lesson: RewardScene) -> None:
    """Without `serialize: user`: fault F4 of the monolith does not happen here."""
    student, exercises = lesson.student(), [lesson.exercise(), lesson.exercise()]
    with lesson.submitting(*[(student, exercise) for exercise in exercises for _ in range(4)]) as submissions:
        replies = [submission.result() for submission in submissions]
    assert [(reply.status, reply.json["data"]["success"]) for reply in replies] == [(201, True)] * 8
    lesson.pays((student, 2 * REWARD))


def test_purchases_and_rewards_of_one_student_at_once_lose_no_point(lesson: RewardScene) -> None:
    """Why `serialize: user` is not needed once the group is extracted."""
    student, exercises = lesson.student(points=40), [lesson.exercise() for _ in range(3)]
    items = [lesson.scene.item(cost=10) for _ in range(4)]
    with lesson.submitting(*[(student, exercise) for exercise in exercises for _ in range(2)]) as submissions:
        orders = lesson.scene.ask(*(student.call(item) for item in items), tries=20, at_once=4)
        assert [submission.result().status for submission in submissions] == [201] * 6
    assert [order.status for order in orders] == [201] * 4
    lesson.pays((student, 3 * REWARD))


def test_200_submissions_at_once_are_all_answered_and_paid_once(lesson: RewardScene) -> None:
    students, exercise = [lesson.student() for _ in range(MANY)], lesson.exercise()
    with lesson.submitting(*[(student, exercise) for student in students]) as submissions:
        replies = [submission.result() for submission in submissions]
    statuses = Counter(None if reply is None else reply.status for reply in replies)
    assert statuses.keys() <= {201, 503}, statuses
    assert statuses[201] > MANY / 10
    told = {student.user_id for student, reply in zip(students, replies, strict=True) if reply.status == 201}
    points = lesson.at_rest().points
    assert {student.user_id for student in students if points[student.user_id]} == told
    assert {points[user_id] for user_id in told} == {REWARD}


def test_wrong_code_is_stored_as_an_attempt_and_earns_nothing(lesson: RewardScene) -> None:
    student, exercise = lesson.student(), lesson.exercise()
    reply = lesson.submit(student, exercise, WRONG)
    assert reply is not None
    assert (reply.status, reply.json["data"]["success"]) == (201, False)
    assert lesson.attempts(student, exercise)["lastAttempt"]["data"]["code"] == WRONG
    lesson.pays((student, 0))
