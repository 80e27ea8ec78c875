"""Responses as values: the success envelope and the monolith's error bodies (contract §2.1, §2.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chassis.auth.claims import AuthenticationOutcome, Identity
from extracted.wire.jsontext import stringify


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """Status, text, further header fields. `development`: the text outside production, if it differs."""

    status: int
    body: bytes
    development: bytes | None = None
    fields: tuple[tuple[bytes, bytes], ...] = ()
    media_type: bytes = b"application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Listing:
    """The metadata of a list, in the order of the contract. None leaves a part out."""

    pagination: Mapping[str, object] | None = None
    order_by: Mapping[str, str] | None = None
    filters: Mapping[str, Mapping[str, object]] | None = None

    def metadata(self, count: int) -> dict[str, object]:
        """The metadata with `count`, the number of elements in this response."""
        keyed = {"order-by": self.order_by, "filter": self.filters}
        metadata: dict[str, object] = {"count": count}
        if self.pagination is not None:
            metadata["pagination"] = self.pagination
        return metadata | {name: {"keys": keys} for name, keys in keyed.items() if keys is not None}


def one(data: object, status: int = 200) -> ApiResponse:
    """A single value in its envelope."""
    return ApiResponse(status, stringify({"metadata": {}, "data": data}))


def many(data: Sequence[object], listing: Listing, status: int = 200) -> ApiResponse:
    """A list in its envelope."""
    return ApiResponse(status, stringify({"metadata": listing.metadata(len(data)), "data": data}))


def nothing(status: int) -> ApiResponse:
    """A response without `data`. With 204 only the ETag shows that."""
    return ApiResponse(status, stringify({"metadata": {}}))


def error(status: int, message: object, name: str | None = None) -> ApiResponse:
    """An error body. It has a `name` only if the monolith gives the exception its own message."""
    body: dict[str, object] = {"statusCode": status, "message": message}
    return ApiResponse(status, stringify(body | ({} if name is None else {"error": name})))


BAD_REQUEST: Final = error(400, "Bad Request")
UNAUTHORIZED: Final = error(401, "Unauthorized")
FORBIDDEN: Final = error(403, "Forbidden")
FORBIDDEN_RESOURCE: Final = error(403, "Forbidden resource", "Forbidden")
NOT_FOUND: Final = error(404, "Resource not found", "Not Found")
CONFLICT: Final = error(409, "Resource already exists", "Conflict")
UNAVAILABLE: Final = error(503, "Service Unavailable")
"""Not a response of the monolith: the service has no keys of the gateway yet, so it cannot tell who calls."""
TOO_LARGE: Final = error(413, "request entity too large")
STORE_FAILED: Final = ApiResponse(500, error(500, "Internal Server Error").body, development=b"{}")
"""A failure that the monolith catches: its database refused or failed. Outside production it shows the failure, often
as {}; our log tells what it was."""
UNEXPECTED: Final = error(500, "Internal server error")
"""An uncaught exception. Note the small s."""


def in_development(answer: ApiResponse) -> ApiResponse:
    """The response outside production."""
    return answer if answer.development is None else replace(answer, body=answer.development)


def invalid(faults: Sequence[str]) -> ApiResponse:
    """400 for a body that breaks rules. Production does not tell which."""
    return ApiResponse(400, BAD_REQUEST.body, development=error(400, faults, "Bad Request").body)


def no_route(method: str, target: str) -> ApiResponse:
    """404 if no route matches. `target`: with its query, as sent."""
    return error(404, f"Cannot {method} {target}", "Not Found")


def refusal(identity: Identity, *, allowed: bool) -> ApiResponse | None:
    """The refusal, in the monolith's order: no credential, a bad one, not allowed. None: the caller may pass."""
    if identity.outcome is AuthenticationOutcome.MISSING:
        return UNAUTHORIZED
    if identity.outcome is AuthenticationOutcome.REJECTED:
        return FORBIDDEN
    return None if allowed else FORBIDDEN_RESOURCE
