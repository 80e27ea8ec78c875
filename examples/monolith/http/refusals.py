"""Answers other than success: Nest's error bodies, raised from wherever the request ends."""

from http import HTTPStatus
from typing import Any


class Refusal(Exception):
    """An HTTP error. `error` (the status in words) is in the body only beside a message of the exception's own."""

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
    """What the monolith catches and answers as a 500 `Internal Server Error`: its database failing."""


class UncaughtFailure(Exception):
    """What escapes the monolith's own handling: a 500 spelled `Internal server error`."""


def bad_request(message: str | list[str] | None = None) -> Refusal:
    return Refusal(400, message)


def unauthorized(message: str | None = None) -> Refusal:
    return Refusal(401, message)


def forbidden(message: str | None = None) -> Refusal:
    return Refusal(403, message)


def not_found(message: str = "Resource not found") -> Refusal:
    return Refusal(404, message)


def conflict(message: str = "Resource already exists") -> Refusal:
    return Refusal(409, message)


def unparsed(status: int, message: str) -> Refusal:
    """What the body parser refuses: its message, without `error`."""
    return Refusal(status, message, named=False)
