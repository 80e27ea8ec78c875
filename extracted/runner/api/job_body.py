"""Reads the body of POST /jobs. A fault names its field, says what was seen, and what is wanted."""

import json
from collections.abc import Mapping
from typing import Any, Final

from extracted.runner.job import Job
from extracted.runner.languages.runtimes import Runtime

MOST_BYTES: Final = 2 << 20
MOST_SOURCE_BYTES: Final = 100 * 1024
"""No smaller than what the monolith accepts."""
MOST_INPUTS: Final = 100
MOST_INPUT_BYTES: Final = 1 << 20
MOST_DEADLINE_MS: Final = 300_000
DEADLINE_MS: Final = 60_000
MOST_USER: Final = 200
_FIELDS: Final = ("language", "version", "source", "inputs", "deadline_ms", "user", "keep_stdin_open")


class JobRefused(Exception):
    """400. `field`: where the fault is, as `inputs.3.stdin`; empty: the whole body."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field or 'body'}: {fault}")
        self.field = field


def read(content: bytes, runtimes: Mapping[str, Runtime]) -> Job:
    """The job that a body asks for. Raises JobRefused."""
    body = _object(content)
    return Job(
        runtime=_runtime(body, runtimes),
        source=_source(body),
        inputs=_inputs(body.get("inputs")),
        deadline_s=_whole(body, "deadline_ms", DEADLINE_MS, MOST_DEADLINE_MS) / 1000,
        user=_user(body.get("user")),
        keep_stdin_open=_flag(body, "keep_stdin_open"),
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise JobRefused("", f"it is not JSON ({type(error).__name__}); wanted is an object") from error
    if not isinstance(body, dict):
        raise JobRefused("", "it is not an object")
    for name in body:
        if name not in _FIELDS:
            raise JobRefused(name[:80], f"there is no such field; there are {', '.join(_FIELDS)}")
    return body


def _runtime(body: Mapping[str, Any], runtimes: Mapping[str, Runtime]) -> Runtime:
    language, version = body.get("language"), body.get("version")
    runtime = runtimes.get(language) if isinstance(language, str) else None
    if runtime is None:
        raise JobRefused("language", f"it is not installed here; installed are {', '.join(sorted(runtimes))}")
    if version is not None and not (isinstance(version, str) and runtime.is_version(version)):
        raise JobRefused("version", f"it is not installed here; {language} has version {runtime.version}")
    return runtime


def _source(body: Mapping[str, Any]) -> str:
    source = body.get("source")
    if not isinstance(source, str) or not source:
        raise JobRefused("source", "it is missing or empty; wanted is a text")
    if len(source.encode(errors="replace")) > MOST_SOURCE_BYTES:
        raise JobRefused("source", f"it is too long; wanted are at most {MOST_SOURCE_BYTES} bytes")
    return source


def _inputs(inputs: object) -> list[bytes]:
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MOST_INPUTS:
        raise JobRefused("inputs", f"wanted is a list of 1 to {MOST_INPUTS} inputs")
    read = [_stdin(f"inputs.{index}", one) for index, one in enumerate(inputs)]
    if sum(map(len, read)) > MOST_INPUT_BYTES:
        raise JobRefused("inputs", f"they are too long; wanted are at most {MOST_INPUT_BYTES} bytes in all")
    return read


def _stdin(where: str, one: object) -> bytes:
    """The lines, each with its end; the monolith's runner ends even no line at all."""
    lines = one.get("stdin") if isinstance(one, dict) and one.keys() <= {"stdin"} else None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise JobRefused(where, 'wanted is {"stdin": [text, …]}')
    return ("\n".join(lines) + "\n").encode(errors="replace")


def _whole(body: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise JobRefused(name, f"wanted is a whole number from 1 to {most}")
    return value


def _user(user: object) -> str:
    if user is None:
        return ""
    if not isinstance(user, str) or len(user) > MOST_USER:
        raise JobRefused("user", f"wanted is a text of at most {MOST_USER} characters")
    return user


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise JobRefused(name, "wanted is true or false")
    return value
