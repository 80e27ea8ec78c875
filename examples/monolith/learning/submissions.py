"""Contract sections 6.3 and 6.4: submissions."""

import asyncio
import time
import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import ANY_USER, may
from examples.monolith.http.refusals import InternalFailure, UncaughtFailure, not_found
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.learning.component_shapes import LANGUAGES
from examples.monolith.learning.contents import find_content, root_of
from examples.monolith.outgoing.runner import RunFailed
from examples.monolith.outgoing.unhandled import unhandled
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document
from examples.monolith.storage.rows import change_row
from examples.monolith.storage.tables import components, submissions, users, validators
from examples.monolith.users.users import find_user
from examples.monolith.validation.shapes import IS_NOT_EMPTY, IS_STRING, IS_UUID_V4, Shape, one_of, required

LARGEST_INTEGER = 2**31 - 1
CODE: Shape = {"language": required(one_of(*LANGUAGES)), "code": required(IS_STRING, IS_NOT_EMPTY)}
SUBMISSION: Shape = {"contentId": required(IS_UUID_V4), "componentId": required(IS_UUID_V4), **CODE}


async def submit(call: Call) -> Answer:
    """What is known of earlier submissions is read once, at the start: at once, several are the first (fault F4)."""
    async with call.monolith.database.write() as connection:
        component = await documents.find_one(connection, components, call.body["componentId"])
        if component is None:
            raise not_found()
        submission = await _attempted(call, connection)
    tests = (component.get("data") or {}).get("validators")
    if tests is None:
        return enveloped({"success": False}, 201)
    results = await _results(call, tests)
    success = all(result["success"] for result in results)
    if success:
        await _succeed(call, submission)
    return enveloped({"success": success, "validators": results}, 201)


async def submit_one(call: Call) -> Answer:
    """Nothing is kept of it."""
    async with call.monolith.database.read() as connection:
        validator = await documents.find_one(connection, validators, call.params["validatorId"])
    if validator is None:
        raise not_found()
    run = await call.monolith.runner.run(call.body["code"], call.body["language"], validator["input"]["stdin"])
    result = {"stdout": run.stdout, "stderr": run.stderr, "exitCode": run.exit_code}
    success = run.prints(validator["expected"]["stdout"])
    return enveloped({"success": success, "codeResult": result}, 201)


async def get_submission(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        submission = await _find_submission(connection, call.user_id, call.params["componentId"])
    if submission is None:
        raise not_found()
    return enveloped({name: submission[name] for name in ("lastAttempt", "lastSuccess") if name in submission})


async def _attempted(call: Call, connection: AsyncConnection) -> Document:
    """The submission of this user for this component, as it was before: made when there was none."""
    user_id, component_id = call.user_id, call.body["componentId"]
    submission = await _find_submission(connection, user_id, component_id)
    if submission is None:
        new = {"userId": user_id, "componentId": component_id, "lastAttempt": _now(call), "id": str(uuid.uuid4())}
        return await documents.add(connection, submissions, call.monolith.object_ids.next(), new)
    await documents.set_fields(connection, submissions, submission["id"], {"lastAttempt": _now(call)})
    return submission


async def _find_submission(connection: AsyncConnection, user_id: str, component_id: str) -> Document | None:
    wanted = {"userId": user_id, "componentId": component_id}
    return await documents.documents_of(connection).find_one(submissions, wanted)


def _now(call: Call) -> Document:
    """Milliseconds since 1970, as text, with what was sent."""
    sent = {"language": call.body["language"], "code": call.body["code"]}
    return {"at": str(time.time_ns() // 1_000_000), "data": sent}


async def _results(call: Call, tests: list[Document]) -> list[dict[str, Any]]:
    """All at once; none at all count as passed (fault F5). A runner that fails ends the process (fault F6)."""
    try:
        return list(await asyncio.gather(*(_result(call, validator) for validator in tests)))
    except RunFailed as failure:
        if call.monolith.runner.configured:
            unhandled(failure)
        raise


async def _result(call: Call, validator: Document) -> dict[str, Any]:
    run = await call.monolith.runner.run(call.body["code"], call.body["language"], validator["input"]["stdin"])
    return {"success": run.prints(validator["expected"]["stdout"]), "validator": validator["id"]}


async def _succeed(call: Call, submission: Document) -> None:
    if "lastSuccess" not in submission:
        await _reward(call)
    async with call.monolith.database.write() as connection:
        await documents.set_fields(connection, submissions, submission["id"], {"lastSuccess": _now(call)})


async def _reward(call: Call) -> None:
    """Points are read, then written as they were computed: nothing is locked in between (fault F4)."""
    async with call.monolith.database.read() as connection:
        content = await find_content(connection, call.body["contentId"])
        root = await root_of(connection, content)
        if not _is_child(call.body["componentId"], root):
            return
        user = await find_user(connection, call.user_id)
    points = user.points + content["reward"]
    if points != int(points) or points > LARGEST_INTEGER:
        raise InternalFailure("the points column takes whole numbers of 32 bits alone")
    async with call.monolith.database.write() as connection:
        await change_row(connection, users, user, points=int(points))


def _is_child(component_id: str, root: Document) -> bool:
    """Of the root itself. A root without children is an uncaught error (C9)."""
    children = (root.get("data") or {}).get("components")
    if children is None:
        raise UncaughtFailure("the root has no components")
    return any(child["id"] == component_id for child in children)


SUBMIT = may("create", "submission")

ROUTES = (
    Route("POST", "/submission", submit, SUBMIT, body=SUBMISSION),
    Route("POST", "/submission/:validatorId", submit_one, SUBMIT, body=CODE),
    Route("GET", "/submission/:componentId", get_submission, ANY_USER),
)
