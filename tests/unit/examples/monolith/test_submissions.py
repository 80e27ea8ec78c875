"""Submissions: what no recorded request shows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from examples.monolith.outgoing.runner_client import CodeResult
from tests.unit.examples.monolith.client import Client
from tests.unit.examples.monolith.trees import container, content, editor, markdown, validator

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DOUBLE = "print(2 * int(input()))"
WRONG = "print(0)"
NewUser = Callable[..., Client]


@pytest.fixture
def new_content(admin: Client) -> Callable[..., dict[str, Any]]:
    def create(root: object, reward: float = 50) -> dict[str, Any]:
        answer = admin.post("/content", content(root, reward=reward))
        assert answer.status == 201, answer.content
        return dict(answer.data)

    return create


NewContent = Callable[..., dict[str, Any]]


def first_of(made: dict[str, Any]) -> dict[str, Any]:
    return dict(made["rootComponent"]["data"]["components"][0])


def submission(made: dict[str, Any], code: str = DOUBLE, **fields: Any) -> dict[str, Any]:
    sent = {"contentId": made["id"], "componentId": first_of(made)["id"], "language": "PYTHON", "code": code}
    return sent | fields


def points(user: Client) -> int:
    return int(user.get("/user/@me").data["points"])


@pytest.mark.parametrize(
    ("stdout", "exit_code", "expected"),
    [(" 4\t\u00a0\n", 0, True), ("4\n", None, True), ("4", 0, False), ("4\n\n", 0, False), ("4\n", 3, False)],
)
def test_a_run_succeeds_by_its_lines_and_its_exit_code(stdout: str, exit_code: int | None, expected: bool) -> None:
    assert CodeResult(stdout, "", exit_code).prints(["4"]) is expected


def test_the_last_attempt_and_the_last_success_are_kept(verified: NewUser, new_content: NewContent) -> None:
    user, made = verified(), new_content(container(editor(validator("2", "4"))))
    target = f"/submission/{first_of(made)['id']}"
    one = f"/submission/{first_of(made)['data']['validators'][0]['id']}"
    assert user.post(one, {"language": "PYTHON", "code": DOUBLE}).data["success"] is True
    assert user.get(target).status == 404
    user.post("/submission", submission(made))
    user.post("/submission", submission(made, WRONG))
    kept = user.get(target).data
    assert [kept[name]["data"]["code"] for name in ("lastAttempt", "lastSuccess")] == [WRONG, DOUBLE]
    assert kept["lastAttempt"]["data"] == {"language": "PYTHON", "code": WRONG}
    assert kept["lastAttempt"]["at"] >= kept["lastSuccess"]["at"]
    assert len(kept["lastAttempt"]["at"]) == 13


def test_a_component_without_data_has_no_such_field_either(verified: NewUser, new_content: NewContent) -> None:
    made = new_content(container({"type": "markdown", "data": {}}))
    assert verified().post("/submission", submission(made)).data == {"success": False}


def test_first_successes_at_once_all_pay(verified: NewUser, new_content: NewContent) -> None:
    """Fault F4. They begin together and end one after the other, or one would overwrite what the other has paid."""
    user, made = verified(), new_content(container(editor(validator("2", "4"))))
    together = Barrier(3)

    def submit(number: int) -> int:
        together.wait()
        code = f"import time; time.sleep({0.5 * (number + 1)}); {DOUBLE}"
        return user.post("/submission", submission(made, code)).status

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(submit, range(3))) == [201, 201, 201]
    assert points(user) > 50


def test_only_a_child_of_the_content_s_root_pays(verified: NewUser, new_content: NewContent) -> None:
    user = verified()
    made, deep = new_content(container(editor())), new_content(container(container(editor())))
    inner = first_of(deep)["data"]["components"][0]["id"]
    for sent in (submission(made, contentId=deep["id"]), submission(deep, componentId=inner)):
        assert user.post("/submission", sent).data["success"] is True
    assert points(user) == 0


def test_a_content_that_is_not_there_or_has_no_children_is_found_out_after_the_run(
    verified: NewUser, new_content: NewContent
) -> None:
    user, made, flat = verified(), new_content(container(editor())), new_content(markdown())
    unknown = user.post("/submission", submission(made, contentId=UNKNOWN))
    assert (unknown.status, unknown.json["message"]) == (404, "Resource not found")
    childless = user.post("/submission", submission(made, contentId=flat["id"]))
    assert (childless.status, childless.json["message"]) == (500, "Internal server error")
    assert "lastSuccess" not in user.get(f"/submission/{first_of(made)['id']}").data


@pytest.mark.parametrize("reward", [0.5, 2**31])
def test_a_reward_that_the_points_column_does_not_take_is_a_500(
    verified: NewUser, new_content: NewContent, reward: float
) -> None:
    user, made = verified(), new_content(container(editor()), reward)
    answer = user.post("/submission", submission(made))
    assert (answer.status, answer.json["message"]) == (500, "Internal Server Error")
    assert points(user) == 0
