"""Answers of the gateway's own: values."""

from dataclasses import dataclass
from typing import Literal

from strangler_gateway.http.proxy_status import ErrorType


@dataclass(frozen=True, slots=True)
class ReplyContent:
    """A body as it goes out, and its media type."""

    media_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway's own. `code` is empty where nothing failed; `fields` go out as they are.

    Without `content` the body is shaped by `errors:` of routes.yaml around `message`.
    """

    status: int
    code: ErrorType | Literal[""]
    message: str
    fields: tuple[tuple[bytes, bytes], ...] = ()
    close: bool = False
    content: ReplyContent | None = None


OVERLOADED = "overloaded"
"""Why a request was refused: the gateway has more to do than it can."""
FAILED = Reply(500, "proxy_internal_error", "The gateway failed on this request.", close=True)
"""A fault of ours."""
