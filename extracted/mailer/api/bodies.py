"""Request bodies: JSON objects of bounded size that have known fields alone."""

import json
from collections.abc import Collection
from typing import Final

from starlette.requests import Request

MOST_BYTES: Final = 256 * 1024
"""The same limit as for a message."""


class BodyInvalid(Exception):
    """Says in one sentence what was seen and what was wanted."""


class BodyTooLarge(Exception):
    """The body has more than `MOST_BYTES`; the rest is not read."""


async def read(request: Request, fields: Collection[str]) -> dict[str, object]:
    """Reads one object; refuses other fields. Raises BodyInvalid, BodyTooLarge."""
    try:
        body = json.loads(await _bytes(request))
    except (ValueError, RecursionError):
        raise BodyInvalid("the body is not JSON; expected one object") from None  # its text would show the content
    if not isinstance(body, dict):
        raise BodyInvalid(f"the body is a JSON {type(body).__name__}; wanted an object")
    if others := set(body) - set(fields):
        raise BodyInvalid(f"the body has {len(others)} unknown fields; wanted {', '.join(fields)}")
    return body


def text(body: dict[str, object], name: str, most: int) -> str:
    """A required field. Raises BodyInvalid."""
    found = body.get(name)
    if not isinstance(found, str) or not found.strip() or len(found) > most or not is_plain(found):
        raise BodyInvalid(f"{name} is not a text of 1 to {most} characters without control characters")
    return found


def is_plain(text: str) -> bool:
    """One line without control characters: every store takes it."""
    return text.isprintable()


async def _bytes(request: Request) -> bytes:
    """Stops at the limit, whatever Content-Length says."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_BYTES:
            raise BodyTooLarge(f"the body has more than {MOST_BYTES} bytes")
    return bytes(found)
