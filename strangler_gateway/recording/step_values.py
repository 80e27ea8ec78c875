"""Bodies of a replay: requests with this run's values, and recorded answers as they have to look now. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from strangler_gateway.recording.ids import named_id_key, names_id, resource_of, segment_ids
from strangler_gateway.recording.step import CREDENTIALS, RecordedStep
from strangler_gateway.recording.values import ReplayValues

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


def answered_values(step: RecordedStep, answer: str) -> Iterator[str]:
    """Every value of an answer to the step that a request may have to send: texts, ids under their keys."""
    document = _parsed(answer)
    if document is not None:
        yield from _leaves(document[0], resource_of(step.target))
    for name, value in step.answer_fields:
        if name.lower() == "location":
            yield from _target_values(value)


def sent_values(step: RecordedStep, credentials: bool = True) -> Iterator[str]:
    """Every value of a request that an answer may have introduced."""
    yield from _target_values(step.target)
    for name, value in step.fields:
        if credentials and name.lower() in _SENDS_VALUES:
            yield from value.replace(";", " ").replace("=", " ").split()
    document, resource = _parsed(step.body), resource_of(step.target)
    yield from _leaves(document[0], resource) if document else _form_values(step.body, resource)


def _target_values(target: str) -> Iterator[str]:
    path, _, query = target.partition("?")
    yield from (key for _, key in segment_ids(path))
    yield from _form_values(query, resource_of(target))


def _form_values(text: str, resource: str) -> Iterator[str]:
    """Of a form or a query; a number is an id only by its name."""
    for name, _, value in (pair.partition("=") for pair in text.split("&")):
        if not value.isdecimal():
            yield value
        elif names_id(name):
            yield named_id_key(value, name, "", resource)


def _parsed(text: str) -> tuple[Json] | None:
    """In a tuple, because null is a document as well."""
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None


def _is_form(step: RecordedStep) -> bool:
    return any(n.lower() == "content-type" and v.startswith("application/x-www-form") for n, v in step.fields)


def _expected(recorded: Json, received: Json, values: ReplayValues, name: str, inside: str = "") -> Json:
    """`received` None: nothing is learned, known values are put in. `inside`: the member around this one."""
    if isinstance(recorded, dict):
        other = received if isinstance(received, dict) else {}
        return {
            values.own(key): _expected(inner, other.get(values.own(key)), values, key, name)
            for key, inner in recorded.items()
        }
    if isinstance(recorded, list):
        others = received if isinstance(received, list) else []
        pairs = zip(recorded, [*others, *[None] * (len(recorded) - len(others))], strict=False)
        return [_expected(ours, theirs, values, name, inside) for ours, theirs in pairs]
    if isinstance(recorded, str) and recorded.isdecimal() and names_id(name):
        learnt = isinstance(received, str) and received.isdecimal()
        return values.expected_id(name, recorded, received, inside) if learnt else values.own_id(name, recorded, inside)
    if isinstance(recorded, str):
        return values.expected(recorded, received) if isinstance(received, str) else values.own(recorded)
    if type(recorded) is int:
        same = type(received) is int
        if same:
            return values.expected_number(name, recorded, received, inside)
        return values.own_number(name, recorded, inside)
    return recorded


def _leaves(value: Json, resource: str, name: str = "", inside: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, resource, key, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, resource, name, inside)
    elif isinstance(value, str) and not value.isdecimal():
        yield value
    elif type(value) in (int, str) and names_id(name):
        yield named_id_key(str(value), name, inside, resource)
