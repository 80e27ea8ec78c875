"""A running system in which students submit code: new students and exercises, faults, and the audit at rest."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.system.books import Books
from tests.support.system.invariants import Known, breaches
from tests.support.system.purchasing import Reply
from tests.support.system.scene import PATIENT, Buyer, Scene, embedded, on_parts
from tests.support.system.waiting import until

PROCESSES = ("monolith", "runner", "shop", "account", "learning", "gateway")
DOUBLE = "print(2 * int(input()))"
WRONG = "print('nothing')"
REWARD = 30
PAID_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class Exercise:
    """A content whose root has one editor with two validators: twice the number that is read."""

    content_id: str
    component_id: str


@dataclass
class RewardScene:
    """`scene` has the processes, the queues and the books."""

    scene: Scene
    admin: str = ""

    def student(self, points: int = 0) -> Buyer:
        """Verified."""
        return self.scene.buyer(points)

    def exercise(self, reward: int = REWARD) -> Exercise:
        """Made by the monolith."""
        if not self.admin:
            data = self.scene.system.data
            self.admin = data.login(data.add_user("admin"))
        cases = [{"isHidden": False, "input": {"stdin": [n]}, "expected": {"stdout": [str(2 * int(n))]}} for n in "25"]
        editor = {"type": "editor", "data": {"validators": cases}}
        root = {"type": "container", "data": {"components": [editor]}}
        sent = {"name": "Twice", "description": "of a number", "type": "exercise", "reward": reward, "data": {}}
        reply = self.monolith("POST", "/content", self.admin, sent | {"rootComponent": root})
        assert reply.status == 201, reply.body
        made = reply.json["data"]
        return Exercise(made["id"], made["rootComponent"]["data"]["components"][0]["id"])

    def monolith(self, method: str, target: str, token: str, body: object = None) -> Reply:
        """Past the gateway."""
        return self.scene.system.ask_at("monolith", method, target, token, body)

    def submit(self, student: Buyer, exercise: Exercise, code: str = DOUBLE) -> Reply | None:
        """Through the gateway. None: no answer."""
        return self._submitted("gateway", student, exercise, code)

    def submit_to_monolith(self, student: Buyer, exercise: Exercise, code: str = DOUBLE) -> Reply | None:
        """Past the gateway."""
        return self._submitted("monolith", student, exercise, code)

    def _submitted(self, side: str, student: Buyer, exercise: Exercise, code: str) -> Reply | None:
        body = {"contentId": exercise.content_id, "componentId": exercise.component_id}
        try:
            sent = body | {"language": "PYTHON", "code": code}
            return self.scene.system.ask_at(side, "POST", "/submission", student.token, sent)
        except OSError:
            return None

    def solved(self, student: Buyer, exercise: Exercise, tries: int = 120) -> None:
        """Submits the right code until that is answered with a success."""

        def succeeds() -> bool:
            reply = self.submit(student, exercise)
            return reply is not None and reply.status == 201 and reply.json["data"]["success"]

        until(succeeds, "a success", within_s=tries, poll_s=0.5)

    @contextmanager
    def submitting(self, *submissions: tuple[Buyer, Exercise], code: str = DOUBLE) -> "Iterator[list[Future[Any]]]":
        """All at once, while the block runs."""
        with ThreadPoolExecutor(len(submissions)) as pool:
            yield [pool.submit(self.submit, student, exercise, code) for student, exercise in submissions]

    def attempts(self, student: Buyer, exercise: Exercise) -> dict[str, Any]:
        """What the monolith shows of the submission; empty if there is none."""
        reply = self.monolith("GET", f"/submission/{exercise.component_id}", student.token)
        return dict(reply.json["data"]) if reply.status == 200 else {}

    def points(self, student: Buyer) -> int:
        """In the database."""
        return self.scene.books.read().points[student.user_id]

    def state(self, student: Buyer) -> list[str]:
        """Of the student's rewards."""
        rows = self.scene.books.read().rewards.values()
        return sorted(row["state"] for row in rows if row["user_id"] == student.user_id)

    def at_rest(self, within_s: float = PAID_WITHIN_S) -> Books:
        """No reward is open and all are paid; fails with all breaches."""

        def rested() -> Books | None:
            found = self.scene.books.read()
            states = {id: row["state"] for id, row in found.rewards.items()}
            earned = {id for id, state in states.items() if state == "earned"}
            is_open = "intended" in states.values() or found.unpublished or earned - found.paid.keys()
            return None if is_open else found

        found = until(rested, "all rewards settled and paid", within_s)
        assert found is not None
        assert breaches(found, Known({})) == []
        return found

    def pays(self, *paid: tuple[Buyer, int]) -> None:
        """At rest, each of these students has these points."""
        found = self.at_rest()
        assert {student.user_id: found.points[student.user_id] for student, _ in paid} == {
            student.user_id: points for student, points in paid
        }

    def move(self, state: str, share: int | None = None) -> None:
        """The group of points, whatever its gate says."""
        asked = {"unit": "points", "to": state, "who": "test", "why": "a fault test", "force": True}
        reply = self.scene.system.administer("POST", "/flip", asked | ({} if share is None else {"share": share}))
        assert reply.status == 200, reply.body


@contextmanager
def rewards_embedded(folder: Path, cancel_after_s: int = PATIENT) -> Iterator[Scene]:
    """With the monolith and Runner; the group of points is extracted and not serialised."""
    with embedded(folder, cancel_after_s, services=PROCESSES) as scene:
        unserialised(scene)
        yield scene


@contextmanager
def rewards_on_parts(folder: Path, cancel_after_s: int = PATIENT) -> Iterator[Scene]:
    """The same on the real servers."""
    with on_parts(folder, cancel_after_s, services=PROCESSES) as scene:
        unserialised(scene)
        yield scene


def unserialised(scene: Scene) -> None:
    """Takes `serialize: user` out of the routes."""
    scene.system.write_routes("extracted", serialize=None)
    reply = scene.system.administer("POST", "/reload", {"who": "test"})
    assert reply.status == 200, reply.body
