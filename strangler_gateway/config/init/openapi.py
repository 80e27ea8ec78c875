"""Path shapes of an OpenAPI document (2 or 3; JSON or YAML)."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from strangler_gateway.config.checks.secrets import secret_in
from strangler_gateway.config.init.path_shapes import LONGEST, Shape
from strangler_gateway.config.yaml.tree import Unreadable, tree
from strangler_gateway.table.template import TemplateInvalid, parse

MAX_BYTES = 16 << 20
MAX_DEPTH = 200
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
_SAFE = "._~!$&'()*+,;=:@-%"


def shapes_of_openapi(text: str) -> list[Shape]:
    """One shape a path, with the methods of its operations. Raises ValueError with what is wrong with the document."""
    document = _document(text)
    items = document.get("paths")
    if not isinstance(items, dict) or not items:
        raise ValueError("the OpenAPI document has no paths")
    by_shape: dict[str, Shape] = {}
    base = _base(document)
    for path, item in items.items():
        spelled = _path(base + path) if path.startswith("/") else None
        if spelled is not None:
            shape = by_shape.setdefault(re.sub(r"\{[^}]*\}", "{}", spelled), Shape(spelled))
            _add(shape, item)
    return sorted(by_shape.values(), key=lambda shape: shape.path)


def _document(text: str) -> dict[str, Any]:
    """The document down to the names of each path's fields; nothing deeper is needed."""
    if len(text) > MAX_BYTES:
        raise ValueError(f"the OpenAPI document has more than {MAX_BYTES} bytes")
    try:
        document = json.loads(text)
    except RecursionError as exc:
        raise ValueError("the OpenAPI document is nested too deeply") from exc
    except ValueError:
        document = _yaml(text)
    if not isinstance(document, dict):
        raise ValueError("the OpenAPI document is not a mapping")
    return document


def _yaml(text: str) -> Any:
    try:
        return _shallow(tree(text, MAX_BYTES, MAX_DEPTH), 4)
    except Unreadable as exc:
        raise ValueError(f"the OpenAPI document, line {exc.line}: {exc}") from exc


def _shallow(node: yaml.Node, depth: int) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if depth == 0:
        return ""
    if isinstance(node, yaml.SequenceNode):
        return [_shallow(item, depth - 1) for item in node.value[:1]]
    return {_shallow(key, 0): _shallow(value, depth - 1) for key, value in node.value}


def _base(document: dict[str, Any]) -> str:
    """The path before every path: of the first server (3), or `basePath` (2)."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    url = first.get("url") if isinstance(first, dict) else None
    base = document.get("basePath") if url is None else url
    try:
        path = urlsplit(base).path if isinstance(base, str) and "{" not in base else ""
    except ValueError:
        path = ""
    return path.rstrip("/") if path.startswith("/") else ""


def _path(path: str) -> str | None:
    """As routes.yaml writes it; None if no route can be declared for it."""
    names: list[str] = []
    spelled = "/" + "/".join(_segment(segment, names) for segment in path[1:].split("/"))
    try:
        parse(spelled)
    except TemplateInvalid:
        return None
    return spelled if len(spelled) <= LONGEST and secret_in(spelled) is None else None


def _segment(segment: str, names: list[str]) -> str:
    """A segment that contains a variable becomes a variable as a whole."""
    variable = re.search(r"\{([^{}]*)\}", segment)
    if variable is None:
        return re.sub("%(?![0-9A-Fa-f]{2})", "%25", quote(segment, safe=_SAFE))
    name = next(_names(re.sub(r"\W", "_", variable[1], flags=re.ASCII).strip("_")[:40] or "id", names))
    names.append(name)
    return f"{{{name}}}"


def _names(wanted: str, taken: list[str]) -> Iterator[str]:
    wanted = f"_{wanted}" if wanted[0].isdigit() else wanted
    candidates = (wanted if number == 1 else f"{wanted}{number}" for number in range(1, len(taken) + 2))
    return (name for name in candidates if name not in taken)


def _add(shape: Shape, item: Any) -> None:
    named = {name.upper() for name in item if name in _METHODS} if isinstance(item, dict) else set()
    if not named:
        shape.methods = None  # they are defined elsewhere ($ref)
    elif shape.methods is not None:
        shape.methods |= named
