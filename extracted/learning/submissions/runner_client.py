"""The client of Runner's `POST /jobs`: one source and many inputs, compiled once."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, Final

import httpx

from chassis import deadline
from chassis.auth.service_credentials import CredentialUnavailable, ServiceCredential
from chassis.tracing import spans
from extracted.learning.submissions.domain import CodeResult
from extracted.learning.submissions.ports import CodeJob, RunFailed, RunnerBusy

CONNECT_S: Final = 3.0
GRACE_S: Final = 2.0
"""How long Runner's answer may take beyond the deadline, at which it stops the runs by itself."""
LEAST_S: Final = 1.0
"""With less time than that left, nothing is started."""
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_INPUTS: Final = 100
"""Of one job; Runner takes no more."""
TIMED_OUT: Final = -128
"""The monolith's exit code of a run that took too long."""
_SIGNAL_BASE: Final = 128
"""A program that a signal ended has the exit code of a shell: this and the signal's number."""
_KILLED: Final = 9
_LATER: Final = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
"""Runner has not begun the job: it is full, or about to end."""
_STOPPED: Final = ("time_limit", "cpu_limit")
_COMPLETED: Final = (*_STOPPED, "ok", "compile_error", "runtime_error", "memory_limit", "output_limit", "process_limit")


class HttpRunner:
    """Implements the port CodeRunner. `at_once`: how many connections it may have."""

    def __init__(self, url: str, credential: ServiceCredential, *, at_once: int) -> None:
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(None, connect=CONNECT_S), trust_env=False, limits=limits)
        self._credential = credential
        self._url = f"{url.rstrip('/')}/jobs"

    async def run(self, job: CodeJob) -> Sequence[CodeResult]:
        """Raises RunFailed, RunnerBusy if Runner had no place before the deadline."""
        deadline.begin()
        ends = monotonic() + deadline.within(job.deadline_s)
        return [result for part in _parts(job) for result in await self._run(part, ends)]

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._client.aclose()
        await self._credential.aclose()

    async def _run(self, job: CodeJob, ends: float) -> Sequence[CodeResult]:
        """Asks again as long as Runner says that it has no place."""
        while (left_s := ends - monotonic()) >= LEAST_S:
            try:
                async with asyncio.timeout(left_s + GRACE_S):
                    response, content = await self._authorized(job, left_s)
            except TimeoutError:
                raise RunFailed("the runner did not answer in time") from None
            except CredentialUnavailable as error:
                raise RunFailed(str(error)) from error
            except httpx.HTTPError as error:
                raise RunFailed(f"the runner cannot be reached ({type(error).__name__})") from error
            if response.status_code not in _LATER:
                return _results(response.status_code, content, len(job.inputs))
            await asyncio.sleep(min(_pause_s(response), left_s))
        raise RunnerBusy

    async def _authorized(self, job: CodeJob, left_s: float) -> tuple[httpx.Response, bytes]:
        """Once more with another credential if Runner does not take the first."""
        authorization = await self._credential.authorization()
        response, content = await self._asked(job, left_s, authorization)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential.refused(authorization):
            response, content = await self._asked(job, left_s, await self._credential.authorization())
        return response, content

    async def _asked(self, job: CodeJob, left_s: float, authorization: str) -> tuple[httpx.Response, bytes]:
        sent = {
            "user": job.user_id,
            "language": job.language,
            "source": job.code,
            "inputs": [{"stdin": [*lines]} for lines in job.inputs],
            "deadline_ms": int(left_s * 1000),
            "keep_stdin_open": job.keeps_stdin_open,
        }
        content = bytearray()
        headers = {"Authorization": authorization}
        if (trace := spans.passed_on()) is not None:
            headers["traceparent"] = trace
        async with self._client.stream("POST", self._url, json=sent, headers=headers) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise RunFailed(f"the runner's answer has more than {MOST_BYTES} bytes")
        return response, bytes(content)


def _parts(job: CodeJob) -> Iterator[CodeJob]:
    for start in range(0, len(job.inputs), MOST_INPUTS):
        yield replace(job, inputs=job.inputs[start : start + MOST_INPUTS])


def _pause_s(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 4 else LEAST_S


def _results(status: int, content: bytes, wanted: int) -> Sequence[CodeResult]:
    if status not in (httpx.codes.OK, httpx.codes.CREATED):
        raise RunFailed(f"the runner answered {status}")
    match _json(content):
        case {"compile": {"status": str(word), **compiled}} if word != "ok":
            return [_result({"status": word, **compiled})] * wanted
        case {"results": list(results)} if len(results) == wanted:
            return [_result(result) for result in results]
    raise RunFailed(f"the runner's answer does not hold {wanted} results")


def _result(result: object) -> CodeResult:
    match result:
        case {"status": str(word), "stdout": str(stdout), "stderr": str(stderr), **more} if word in _COMPLETED:
            return CodeResult(stdout, stderr, _exit_code(word, more))
        case {"status": str(word)}:
            raise RunFailed(f"the runner reports {word[:40]}")
    raise RunFailed("the runner's result has no status or no output")


def _exit_code(word: str, result: Mapping[Any, Any]) -> int:
    """Never 0 for a run that did not end well, whatever it printed."""
    if word in _STOPPED:
        return TIMED_OUT
    code, signal = result.get("exit_code"), result.get("signal")
    if isinstance(code, int) and (code or word == "ok"):
        return code
    return _SIGNAL_BASE + (signal if isinstance(signal, int) else _KILLED)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
