"""Contract sections 6.3 and 6.4: submissions."""

import asyncio
import time
import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import ANY_USER, may
from examples.monolith.http.errors import InternalFailure, UncaughtFailure, not_found
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.learning.component_shapes import LANGUAGES
from examples.monolith.learning.contents import find_content, root_of
from examples.monolith.outgoing.runner_client import RunFailed
from examples.monolith.outgoing.unhandled import unhandled
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document
from examples.monolith.storage.rows import change_row
from examples.monolith.storage.tables import components, submissions, users, validators
from examples.monolith.users.users import find_user
from examples.monolith.validation.shapes import IS_NOT_EMPTY, IS_STRING, IS_UUID_V4, Shape, one_of, required

LARGEST_INTEGER = 2**31 - 1
CODE: Shape = {"language": required(one_of(*LANGUAGES)), "code": required(IS_STRING, IS_NOT_EMPTY)}
SUBMISSION: Shape = {"contentId": required(IS_UUID_V4), "componentId": required(IS_UUID_V4), **CODE}


async def submit(request: CheckedRequest) -> ResponseContent:
    """Reads earlier submissions once, at the start: concurrent requests can each be the first (fault F4)."""
    async with request.monolith.database.write() as connection:
        component = await documents.find_one(connection, components, request.body["componentId"])
        if component is None:
            raise not_found()
        submission = await _attempted(request, connection)
    tests = (component.get("data") or {}).get("validators")
    if tests is None:
        return data_response({"success": False}, 201)
    results = await _results(request, tests)
    success = all(result["success"] for result in results)
    if success:
        await _succeed(request, submission)
    return data_response({"success": success, "validators": results}, 201)


async def submit_one(request: CheckedRequest) -> ResponseContent:
    """Runs one validator and stores nothing."""
    async with request.monolith.database.read() as connection:
        validator = await documents.find_one(connection, validators, request.params["validatorId"])
    if validator is None:
        raise not_found()
    run = await request.monolith.runner.run(request.body["code"], request.body["language"], validator["input"]["stdin"])
    result = {"stdout": run.stdout, "stderr": run.stderr, "exitCode": run.exit_code}
    success = run.prints(validator["expected"]["stdout"])
    return data_response({"success": success, "codeResult": result}, 201)


async def get_submission(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        submission = await _find_submission(connection, request.user_id, request.params["componentId"])
    if submission is None:
        raise not_found()
    return data_response({name: submission[name] for name in ("lastAttempt", "lastSuccess") if name in submission})


async def _attempted(request: CheckedRequest, connection: AsyncConnection) -> Document:
    """This user's submission for this component as it was before, or a new one."""
    user_id, component_id = request.user_id, request.body["componentId"]
    submission = await _find_submission(connection, user_id, component_id)
    if submission is None:
        new = {"userId": user_id, "componentId": component_id, "lastAttempt": _now(request), "id": str(uuid.uuid4())}
        return await documents.add(connection, submissions, request.monolith.object_ids.next(), new)
    await documents.set_fields(connection, submissions, submission["id"], {"lastAttempt": _now(request)})
    return submission


async def _find_submission(connection: AsyncConnection, user_id: str, component_id: str) -> Document | None:
    wanted = {"userId": user_id, "componentId": component_id}
    return await documents.documents_of(connection).find_one(submissions, wanted)


def _now(request: CheckedRequest) -> Document:
    """The time (milliseconds since 1970, as text) and what was sent."""
    sent = {"language": request.body["language"], "code": request.body["code"]}
    return {"at": str(time.time_ns() // 1_000_000), "data": sent}


async def _results(request: CheckedRequest, tests: list[Document]) -> list[dict[str, Any]]:
    """Runs all validators at once; no validators means passed (fault F5). A failed run ends the process (F6)."""
    try:
        return list(await asyncio.gather(*(_result(request, validator) for validator in tests)))
    except RunFailed as failure:
        if request.monolith.runner.configured:
            unhandled(failure)
        raise


async def _result(request: CheckedRequest, validator: Document) -> dict[str, Any]:
    run = await request.monolith.runner.run(request.body["code"], request.body["language"], validator["input"]["stdin"])
    return {"success": run.prints(validator["expected"]["stdout"]), "validator": validator["id"]}


async def _succeed(request: CheckedRequest, submission: Document) -> None:
    if "lastSuccess" not in submission:
        await _reward(request)
    async with request.monolith.database.write() as connection:
        await documents.set_fields(connection, submissions, submission["id"], {"lastSuccess": _now(request)})


async def _reward(request: CheckedRequest) -> None:
    """Reads points, then writes the sum, without a lock (fault F4)."""
    async with request.monolith.database.read() as connection:
        content = await find_content(connection, request.body["contentId"])
        root = await root_of(connection, content)
        if not _is_child(request.body["componentId"], root):
            return
        user = await find_user(connection, request.user_id)
    points = user.points + content["reward"]
    if points != int(points) or points > LARGEST_INTEGER:
        raise InternalFailure("the points column takes whole numbers of 32 bits only")
    async with request.monolith.database.write() as connection:
        await change_row(connection, users, user, points=int(points))


def _is_child(component_id: str, root: Document) -> bool:
    """Whether the component is a direct child. Raises UncaughtFailure for a root without children (C9)."""
    children = (root.get("data") or {}).get("components")
    if children is None:
        raise UncaughtFailure("the root has no components")
    return any(child["id"] == component_id for child in children)


SUBMIT = may("create", "submission")

ENDPOINTS = (
    Endpoint("POST", "/submission", submit, SUBMIT, body=SUBMISSION),
    Endpoint("POST", "/submission/:validatorId", submit_one, SUBMIT, body=CODE),
    Endpoint("GET", "/submission/:componentId", get_submission, ANY_USER),
)
