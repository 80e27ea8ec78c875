"""Loads a service's OpenAPI document, which is written by hand in YAML, and serves it as JSON."""

import json
from pathlib import Path
from typing import Any, Final

import yaml

_SHARED = Path(__file__).with_name("openapi.yaml")
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_EVERYWHERE: Final = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "403": "Forbidden",
    "413": "TooLarge",
    "415": "Unsupported",
    "500": "Failed",
    "503": "Unavailable",
}
"""Responses that every operation can give: status → name in the shared components."""


def document(path: Path) -> dict[str, Any]:
    """The document at `path`, with the shared components and responses added."""
    own, shared = _read(path), _read(_SHARED)["components"]
    components = own.get("components", {})
    own["components"] = {kind: components.get(kind, {}) | shared.get(kind, {}) for kind in (shared | components)}
    for item in own["paths"].values():
        for method in item.keys() & _METHODS:
            item[method]["responses"] |= _answered_everywhere()
    return own


def served(path: Path) -> bytes:
    """The document as JSON."""
    return json.dumps(document(path), ensure_ascii=False, separators=(",", ":")).encode()


def _answered_everywhere() -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in _EVERYWHERE.items()}


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded
