"""The routes for submissions (contract §6.3)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog

from chassis.auth.claims import Identity
from extracted.learning.api.callers import GuardedRoute, has_credential, may_read
from extracted.learning.domain import NotFound
from extracted.learning.submissions.domain import LANGUAGES, CodeSubmission, SubmissionResult
from extracted.learning.submissions.ports import RunFailed, RunnerBusy, SubmissionStore
from extracted.learning.submissions.service import SubmissionService, ValidatorRuns
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Guarded
from extracted.wire.responses import ApiResponse
from extracted.wire.validation import NOT_EMPTY, STRING, UUID_V4, Shape, one_of, required

log = structlog.get_logger("learning.submissions")

CODE: Final[Shape] = {"language": required(one_of(LANGUAGES)), "code": required(STRING, NOT_EMPTY)}
SUBMISSION: Final[Shape] = {"contentId": required(UUID_V4), "componentId": required(UUID_V4), **CODE}
BUSY: Final = replace(responses.UNAVAILABLE, fields=((b"retry-after", b"5"),))
"""Not a response of the monolith, which takes any number of runs at once and then fails."""


def reading_routes(store: SubmissionStore) -> Iterator[GuardedRoute]:
    """What needs no Runner."""
    yield "GET", "/submission/{componentId}", has_credential, partial(_get, store)


def trying_routes(runs: ValidatorRuns) -> Iterator[GuardedRoute]:
    """What needs Runner, and stores nothing."""
    yield "POST", "/submission/{validatorId}", may_read, running(partial(_try, runs))


def submitting_routes(service: SubmissionService) -> Iterator[GuardedRoute]:
    """What needs Runner and a broker."""
    yield "POST", "/submission", may_read, running(partial(_submit, service))


def running(handler: Guarded) -> Guarded:
    """Answers at once if the code could not be run. The monolith never answers and ends (fault F6), or answers 500."""

    async def answer(request: ApiRequest, identity: Identity) -> ApiResponse:
        try:
            return await handler(request, identity)
        except RunFailed as failure:
            log.error("run_failed", reason=str(failure))
            return responses.STORE_FAILED
        except RunnerBusy:
            log.warning("runner_busy")
            return BUSY

    return answer


async def _get(store: SubmissionStore, request: ApiRequest, identity: Identity) -> ApiResponse:
    found = await store.find(identity.subject or "", request.variables[0])
    if found is None:
        raise NotFound("submission")
    shown = {"lastAttempt": found.last_attempt, "lastSuccess": found.last_success}
    return responses.one({name: value for name, value in shown.items() if value is not None})


async def _try(runs: ValidatorRuns, request: ApiRequest, identity: Identity) -> ApiResponse:
    body = _body(CODE, request)
    if isinstance(body, ApiResponse):
        return body
    success, result = await runs.try_one(identity.subject or "", request.variables[0], body["language"], body["code"])
    shown = {"stdout": result.stdout, "stderr": result.stderr, "exitCode": result.exit_code}
    return responses.one({"success": success, "codeResult": shown}, 201)


async def _submit(service: SubmissionService, request: ApiRequest, identity: Identity) -> ApiResponse:
    body = _body(SUBMISSION, request)
    if isinstance(body, ApiResponse):
        return body
    new = CodeSubmission(identity.subject or "", body["contentId"], body["componentId"], body["language"], body["code"])
    return responses.one(_shown(await service.submit(new)), 201)


def _shown(verdict: SubmissionResult) -> dict[str, object]:
    if verdict.validators is None:
        return {"success": verdict.success}
    each = [{"success": success, "validator": id} for id, success in verdict.validators]
    return {"success": verdict.success, "validators": each}


def _body(shape: Shape, request: ApiRequest) -> Mapping[str, Any] | ApiResponse:
    """The fields, or the 400."""
    refusal = validation.refusal(shape, request.body)
    return refusal or (request.body if isinstance(request.body, dict) else {})
