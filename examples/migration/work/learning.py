"""Modules, contents, and code that is run and submitted."""

from typing import Any

from examples.demo.clients import data_of
from examples.migration.user import User
from examples.migration.world import Exercise

CODE = {"language": "PYTHON", "code": "print(input())"}
VALIDATOR = {"isHidden": False, "input": {"stdin": ["polycode"]}, "expected": {"stdout": ["polycode"]}}
MODULE = {"name": "Module", "description": "", "type": "practice", "reward": 0, "tags": ["python"], "data": {}}
_NOBODY = "00000000-0000-4000-8000-000000000000"


async def studies(user: User) -> None:
    """Lists, one exercise, and what is the administrator's."""
    exercise = user.world.exercises[len(user.solved) % len(user.world.exercises)]
    await user.get("/module?limit=5")
    await user.get("/content?limit=5")
    await user.get(f"/content/{exercise.content_id}")
    await user.call("GET", f"/module/{_NOBODY}", 404)
    await user.call("POST", "/module", 403, body=MODULE)
    await user.call("PATCH", f"/module/{_NOBODY}", 403, body={})
    await user.call("DELETE", f"/module/{_NOBODY}", 403)
    await user.call("POST", "/content", 403, body={})
    await user.call("PUT", f"/content/{_NOBODY}", 403, body={})
    await user.call("DELETE", f"/content/{_NOBODY}", 403)


async def submits(user: User) -> None:
    """The first success pays, once; after all exercises the first is solved again, for nothing."""
    exercises = user.world.exercises
    exercise = next((one for one in exercises if one.component_id not in user.solved), exercises[0])
    asked = CODE | {"contentId": exercise.content_id, "componentId": exercise.component_id}
    result = data_of(await user.call("POST", "/submission", 201, body=asked))
    if not result["success"]:
        raise user.failed(f"POST /submission: {result}")
    if exercise.component_id not in user.solved:
        user.solved.add(exercise.component_id)
        user.points += exercise.reward
    await user.check_points()
    if "lastSuccess" not in (seen := await user.get(f"/submission/{exercise.component_id}")):
        raise user.failed(f"GET /submission/{exercise.component_id}: {seen}")


async def tries_code(user: User) -> None:
    """One test of an exercise, without a submission."""
    tested = next(one.validator_id for one in user.world.exercises if one.validator_id)
    result = data_of(await user.call("POST", f"/submission/{tested}", 201, body=CODE))
    if not result["success"]:
        raise user.failed(f"POST /submission/{tested}: {result}")


async def keeps_lessons(admin: User) -> None:
    """A module with one exercise, from their first to their last minute."""
    exercise = await new_exercise(admin, 1, tested=True)
    lists: dict[str, Any] = {"modules": [], "contents": [exercise.content_id]}
    module = data_of(await admin.call("POST", "/module", 201, body=MODULE | lists))
    await admin.call("PATCH", f"/module/{module['id']}", 200, body={"name": "Changed", **lists})
    await admin.get(f"/module/{module['id']}")
    where = f"/content/{exercise.content_id}"
    content = await admin.get(where)
    body = {name: value for name, value in content.items() if name != "id"}
    await admin.call("PUT", where, 200, body=body | {"name": "Changed", "data": {}})
    await admin.call("DELETE", f"/module/{module['id']}", 204)
    await admin.call("DELETE", where, 204)


async def new_exercise(admin: User, reward: int, *, tested: bool) -> Exercise:
    """A content whose root has one editor."""
    data = {"items": [], "validators": [VALIDATOR] if tested else [], "editorSettings": {"languages": []}}
    root = {"type": "container", "data": {"components": [{"type": "editor", "data": data}], "orientation": "vertical"}}
    body = {"name": "Exercise", "description": "of the migration", "type": "exercise", "reward": reward, "data": {}}
    made = data_of(await admin.call("POST", "/content", 201, body=body | {"rootComponent": root}))
    editor = made["rootComponent"]["data"]["components"][0]
    validators = editor["data"]["validators"]
    return Exercise(made["id"], editor["id"], validators[0]["id"] if validators else None, reward)
