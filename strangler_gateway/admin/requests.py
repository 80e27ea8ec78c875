"""Reads requests to the admin API, bounded and checked, and turns refusals into responses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from strangler_gateway.admin.auth import Holder

MAX_BODY = 64 * 1024
HOLDER = "strangler.holder"
"""The key of a request's scope under which its Holder is."""

Body = TypeVar("Body", bound=BaseModel)


class AdminRefusal(Exception):
    """Becomes a response: a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def unknown_name(name: str) -> AdminRefusal:
    """For a name that is not in the table."""
    return AdminRefusal(404, "unknown", f"no group or route is called {name[:200]!r}; `strangler routes` lists them")


def query_field(request: Request, name: str, default: str = "") -> str:
    """A field of the query. Raises AdminRefusal if it is missing."""
    value = request.query_params.get(name, default)
    if not value:
        raise AdminRefusal(422, "invalid", f"the query has no {name}")
    return value


async def body(request: Request, model: type[Body], max_bytes: int = MAX_BODY) -> Body:
    """The body as that model. Raises AdminRefusal with every fault."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > max_bytes:
            raise AdminRefusal(413, "too_long", f"the body has more than {max_bytes} bytes")
    try:
        return model.model_validate_json(data)
    except ValidationError as exc:
        raise AdminRefusal(422, "invalid", "; ".join(map(_fault, exc.errors(include_url=False)))) from None


def caller(request: Request, said: str) -> str:
    """For the journal: the name of the credential, or else the one that the caller gives; and his address."""
    holder = holder_of(request)
    if holder is not None and holder.named:
        return f"{holder.name} ({address(request)})"
    name = "".join(c if c.isprintable() else "?" for c in said).strip()
    return f"{name or 'operator'} ({address(request)})"


def holder_of(request: Request) -> Holder | None:
    """Whose credential the request has; None: it needs none."""
    found = request.scope.get(HOLDER)
    assert found is None or isinstance(found, Holder)
    return found


def address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "a socket"


def _fault(fault: Mapping[str, Any]) -> str:
    where = ".".join(map(str, fault["loc"]))
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


async def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, AdminRefusal)
    fields = {"WWW-Authenticate": 'Bearer realm="strangler"'} if exc.status == 401 else None
    return JSONResponse({"error": exc.code, "message": str(exc)}, exc.status, headers=fields)


async def _no_such(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    message = f"{request.method} {request.url.path[:200]} is not part of the admin API"
    return JSONResponse({"error": "unknown_call", "message": message}, exc.status_code, headers=exc.headers)


async def _broken(request: Request, exc: Exception) -> Response:
    """Starlette raises the error again after the response, so that the server logs it."""
    return JSONResponse({"error": "failed", "message": "the gateway failed; see its log"}, 500)


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    AdminRefusal: _refused,
    HTTPException: _no_such,
    Exception: _broken,
}
