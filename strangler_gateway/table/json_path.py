"""Places in a JSON document, as routes.yaml writes them: `$.data.items[*].id`, or RFC 6901 (`/data/id`)."""

import re
from enum import Enum


class Wildcard(Enum):
    """A step that selects everything on its level."""

    ELEMENT = "[*]"
    MEMBER = ".*"


Step = str | int | Wildcard
Path = tuple[Step, ...]

_STEP = re.compile(
    r'\.(?P<name>[^.\[\]"*\s]+)|\.(?P<member>\*)|\[(?P<element>\*)\]|\[(?P<index>\d{1,9})\]|\["(?P<quoted>[^"]*)"\]'
)


def parse(text: str) -> Path:
    """The steps of `$.a["b c"][*].c[0]`. Raises ValueError with the part that cannot be read."""
    if not text.startswith("$"):
        raise ValueError(f'"{text}": a path begins with $, as in $.data.id')
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f'"{text}": cannot be read from "{text[at:]}" on')
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["member"]:
        return Wildcard.MEMBER
    if found["element"]:
        return Wildcard.ELEMENT
    if found["index"] is not None:
        return int(found["index"])
    return found["name"] or found["quoted"]


def parse_place(text: str) -> Path:
    """One place: `$.data.id`, a JSON Pointer `/data/id`, or a member's bare name. Raises ValueError."""
    if text.startswith("$"):
        path = parse(text)
        if any(isinstance(step, Wildcard) for step in path):
            raise ValueError(f'"{text}": wanted one place, without *')
        return path
    return parse_pointer(text) if text.startswith("/") else (text,)


def parse_pointer(text: str) -> Path:
    """A JSON Pointer (RFC 6901): empty for the whole document, `/data/id`. Raises ValueError."""
    if text and not text.startswith("/"):
        raise ValueError(f'"{text}": a JSON Pointer begins with /, as in /data/id')
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def value_at(document: object, path: Path, missing: object = None) -> object:
    """The value at a path; `missing` if there is none."""
    for step in path:
        if isinstance(document, dict) and isinstance(step, str) and step in document:
            document = document[step]
        elif isinstance(document, list) and (index := _index(step)) is not None and index < len(document):
            document = document[index]
        else:
            return missing
    return document


def _index(step: Step) -> int | None:
    if isinstance(step, str) and step.isascii() and step.isdigit():
        return int(step)
    return step if isinstance(step, int) else None
