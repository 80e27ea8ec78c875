"""The routes that a service cannot serve as it is configured. Its readiness answer lists them under `unserved`.

The service is ready nevertheless: it serves the others. Who moves routes (the gateway) refuses to move these onto it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_ROUTES = 1000
MAX_TEXT = 300
"""Characters of a path or a reason."""
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_VARIABLE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class UnservedRoute:
    """`path` as in `/user/{id}`; `reason`: what is missing, for an operator, without secrets."""

    method: str
    path: str
    reason: str


def unserved(description: bytes, served: Iterable[tuple[str, str]], reason: str) -> tuple[UnservedRoute, ...]:
    """What the OpenAPI document (JSON) describes and `served` (method, path) does not contain."""
    known = {(method, shape(path)) for method, path in served}
    return tuple(
        UnservedRoute(method, path, reason)
        for method, path in _described(json.loads(description)["paths"])
        if (method, shape(path)) not in known
    )


def shape(path: str) -> str:
    """The path without the names of its variables: `/user/{}`."""
    return _VARIABLE.sub("{}", path)


def listed(routes: Sequence[UnservedRoute]) -> dict[str, object]:
    """The member of the readiness answer; empty if every route is served."""
    rows = [{"method": one.method, "path": one.path, "reason": one.reason} for one in routes]
    return {"unserved": rows} if rows else {}


def read(answer: bytes) -> tuple[UnservedRoute, ...]:
    """The routes that an answer lists; none if it is not a JSON object or lists none. Raises ValueError."""
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        return ()
    rows = content.get("unserved", []) if isinstance(content, dict) else []
    if not isinstance(rows, list) or len(rows) > MAX_ROUTES:
        raise ValueError(f"`unserved` is not a list of at most {MAX_ROUTES} routes")
    return tuple(map(_read, rows))


def _described(paths: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    for path, item in paths.items():
        yield from ((method.upper(), path) for method in item if method in _METHODS)


def _read(row: object) -> UnservedRoute:
    fields = row if isinstance(row, dict) else {}
    method, path, reason = (fields.get(name, "") for name in ("method", "path", "reason"))
    if not all(isinstance(text, str) for text in (method, path, reason)) or not method or path[:1] != "/":
        raise ValueError("a route in `unserved` is not {method, path, reason}")
    return UnservedRoute(method[:20], path[:MAX_TEXT], reason[:MAX_TEXT])
