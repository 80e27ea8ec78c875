"""The ASGI application around a service's handlers. It answers in the order and the form of the monolith."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.claims import Fields
from extracted.wire import body, headers, responses
from extracted.wire.query import Query, decode, parse
from extracted.wire.responses import UNEXPECTED, ApiResponse, error, no_route

_FIRST_ONLY = frozenset({"content-type", "content-length", "if-modified-since"})


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as a handler sees it. `variables`: decoded, in the order of the path. `body`: {} if there was none.

    `target`: as sent, with its query.
    """

    fields: Fields
    variables: tuple[str, ...]
    query: Query
    body: object
    target: str = ""


Handler = Callable[[ApiRequest], Awaitable[ApiResponse]]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """`path` as "/item/{id}": any case, with or without a slash at the end. GET accepts HEAD too (Express 4)."""

    method: str
    path: str
    handler: Handler
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        escaped = re.sub(r"\\\{\w+\\\}", "([^/]+?)", re.escape(self.path))
        object.__setattr__(self, "_pattern", re.compile(f"{escaped}/?", re.IGNORECASE))

    def match(self, path: str) -> tuple[str, ...] | None:
        """The variables as sent; None: another path."""
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groups()

    def accepts(self, method: str) -> bool:
        """Whether the route accepts the method."""
        return self.method == method or (method == "HEAD" and self.method == "GET")


def application(routes: Sequence[ApiRoute], *, production: bool) -> ASGIApp:
    """Handles CORS, then reads the body, then finds the route, then calls its handler."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        if scope["method"] == "OPTIONS":
            await _start(send, 204, headers.preflight(_request(scope), production=production))
        else:
            await respond(scope, send, await _answer(routes, scope, receive), production=production)

    return answer


def failure(*, production: bool) -> ASGIApp:
    """Answers when a handler has raised: the monolith's 500 for an uncaught exception."""

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(scope, send, UNEXPECTED, production=production)

    return answer


async def respond(scope: Scope, send: Send, answer: ApiResponse, *, production: bool) -> None:
    """Sends as Express does: every response has an ETag, 304 if the client's copy is fresh, no body for HEAD."""
    request = _request(scope)
    answer = answer if production else responses.in_development(answer)
    tag = headers.etag(answer.body)
    readable = scope["method"] in ("GET", "HEAD") and 200 <= answer.status < 300
    status = 304 if readable and headers.fresh(request, tag) else answer.status
    bodiless = status in (204, 304)
    fields = headers.common(request, production=production)
    fields += [] if bodiless else headers.content(answer.body, answer.media_type)
    fields += [(b"etag", tag), *answer.fields]
    await _start(send, status, fields, b"" if bodiless or scope["method"] == "HEAD" else answer.body)


async def _answer(routes: Sequence[ApiRoute], scope: Scope, receive: Receive) -> ApiResponse:
    try:
        content = await body.read(_request(scope), receive)
    except body.BodyRefused as refused:
        return refused.answer
    path = _raw_path(scope).decode("latin-1")
    for route in routes:
        raw = route.match(path)
        if raw is None:
            continue
        variables = [decode(variable) for variable in raw]
        if None in variables:  # before the method is checked, as in Express
            return error(400, f"Failed to decode param '{raw[variables.index(None)]}'", "Bad Request")
        if route.accepts(scope["method"]):
            decoded = tuple(variable for variable in variables if variable is not None)
            query = parse(scope["query_string"].decode("latin-1"))
            return await route.handler(ApiRequest(scope["headers"], decoded, query, content, _target(scope)))
    return no_route(scope["method"], _target(scope))


def _request(scope: Scope) -> dict[str, str]:
    """Field values by lower-case name, joined as Node joins them."""
    joined: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key not in joined:
            joined[key] = value.decode("latin-1")
        elif key not in _FIRST_ONLY:
            joined[key] += ", " + value.decode("latin-1")
    return joined


def _raw_path(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw


def _target(scope: Scope) -> str:
    """The target as sent, if the server passes it on."""
    query: bytes = scope["query_string"]
    rebuilt = _raw_path(scope) + (b"?" + query if query else b"")
    return str(scope.get("state", {}).get("target", rebuilt).decode("latin-1"))


async def _start(send: Send, status: int, fields: list[headers.Field], content: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": content})
