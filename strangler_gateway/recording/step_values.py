"""Bodies of a replay: requests with this run's values, and recorded answers as they have to look now. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from strangler_gateway.recording.step import CREDENTIALS, RecordedStep
from strangler_gateway.recording.values import ReplayValues, names_id

Json = Any
_SENDS_VALUES = CREDENTIALS | {"if-match", "if-none-match"}


def request_body(step: RecordedStep, values: ReplayValues) -> str:
    """The body to send; byte for byte as recorded if none of its values is another one now."""
    document = _parsed(step.body)
    if document is None:
        return values.field(step.body) if _is_form(step) else values.own(step.body)
    translated = _expected(document[0], None, values, "")
    return step.body if translated == document[0] else json.dumps(translated, ensure_ascii=False)


def expected_body(recorded: str, received: str, values: ReplayValues) -> str:
    """The recorded body as it has to be now; learns the new values."""
    ours, theirs = _parsed(recorded), _parsed(received)
    if ours is None or theirs is None:
        return values.expected(recorded, received)
    return json.dumps(_expected(ours[0], theirs[0], values, "")) if recorded != received else recorded


def answered_values(step: RecordedStep) -> Iterator[str]:
    """Every value of a recorded JSON answer that a request may have to send: texts, and numbers that are ids."""
    document = _parsed(step.answer)
    if document is not None:
        yield from _leaves(document[0])


def sent_values(step: RecordedStep, credentials: bool = True) -> Iterator[str]:
    """Every value of a request that an answer may have introduced."""
    path, _, query = step.target.partition("?")
    yield from path.split("/")
    yield from (pair.partition("=")[2] for pair in query.split("&"))
    for name, value in step.fields:
        if credentials and name.lower() in _SENDS_VALUES:
            yield from value.replace(";", " ").replace("=", " ").split()
    document = _parsed(step.body)
    yield from _leaves(document[0]) if document else (pair.partition("=")[2] for pair in step.body.split("&"))


def _parsed(text: str) -> tuple[Json] | None:
    """In a tuple, because null is a document as well."""
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None


def _is_form(step: RecordedStep) -> bool:
    return any(n.lower() == "content-type" and v.startswith("application/x-www-form") for n, v in step.fields)


def _expected(recorded: Json, received: Json, values: ReplayValues, name: str) -> Json:
    """`received` None: nothing is learned, known values are put in."""
    if isinstance(recorded, dict):
        other = received if isinstance(received, dict) else {}
        return {
            values.own(key): _expected(inner, other.get(values.own(key)), values, key)
            for key, inner in recorded.items()
        }
    if isinstance(recorded, list):
        others = received if isinstance(received, list) else []
        pairs = zip(recorded, [*others, *[None] * (len(recorded) - len(others))], strict=False)
        return [_expected(ours, theirs, values, name) for ours, theirs in pairs]
    if isinstance(recorded, str):
        return values.expected(recorded, received) if isinstance(received, str) else values.own(recorded)
    if type(recorded) is int:
        same = type(received) is int
        return values.expected_number(name, recorded, received) if same else values.own_number(name, recorded)
    return recorded


def _leaves(value: Json, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, str):
        yield value
    elif type(value) is int and names_id(name):
        yield str(value)
