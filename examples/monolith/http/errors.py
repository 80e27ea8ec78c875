"""Nest's error bodies as exceptions; any code that ends a request raises one."""

from http import HTTPStatus
from typing import Any


class HttpError(Exception):
    """An HTTP error. The body has `error` (the status in words) only beside a message of its own."""

    def __init__(self, status: int, message: str | list[str] | None = None, *, named: bool = True) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.named = named

    def body(self) -> dict[str, Any]:
        phrase = HTTPStatus(self.status).phrase
        body: dict[str, Any] = {"statusCode": self.status, "message": phrase if self.message is None else self.message}
        return body | {"error": phrase} if self.named and self.message is not None else body


class InternalFailure(Exception):
    """A failure that the monolith catches, for example of its database: 500 `Internal Server Error`."""


class UncaughtFailure(Exception):
    """A failure that the monolith does not catch: 500, spelled `Internal server error`."""


def bad_request(message: str | list[str] | None = None) -> HttpError:
    return HttpError(400, message)


def unauthorized(message: str | None = None) -> HttpError:
    return HttpError(401, message)


def forbidden(message: str | None = None) -> HttpError:
    return HttpError(403, message)


def not_found(message: str = "Resource not found") -> HttpError:
    return HttpError(404, message)


def conflict(message: str = "Resource already exists") -> HttpError:
    return HttpError(409, message)


def body_error(status: int, message: str) -> HttpError:
    """A refusal by the body parser: its message, without `error`."""
    return HttpError(status, message, named=False)
