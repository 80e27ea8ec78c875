"""Bodies of contents and modules for requests."""

from typing import Any

from tests.unit.examples.monolith.client import fresh_name


def markdown(text: str = "read") -> dict[str, Any]:
    return {"type": "markdown", "data": {"markdown": text}}


def validator(stdin: str, stdout: str, *, hidden: bool = False) -> dict[str, Any]:
    return {"isHidden": hidden, "input": {"stdin": [stdin]}, "expected": {"stdout": [stdout]}}


def editor(*validators: dict[str, Any]) -> dict[str, Any]:
    languages = [{"defaultCode": "", "language": "PYTHON", "version": "3.9"}]
    return {
        "type": "editor",
        "data": {"items": [], "validators": list(validators), "editorSettings": {"languages": languages}},
    }


def container(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": "container", "data": {"orientation": "vertical", "components": list(components)}}


def content(root: object, **fields: Any) -> dict[str, Any]:
    described = {"name": fresh_name(), "description": "what it is", "type": "exercise", "reward": 50, "data": {}}
    return described | {"rootComponent": root} | fields


def module(**fields: Any) -> dict[str, Any]:
    described = {"name": fresh_name(), "description": "d", "type": "practice", "reward": 5, "tags": []}
    return described | {"data": {"image": "x"}, "modules": [], "contents": []} | fields
