"""Writes a movable's state and share into routes.yaml and leaves every other byte, comments included."""

import contextlib
import copy
import errno
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from chassis.error_reason import reason
from strangler_gateway.config.yaml import source as yaml_source
from strangler_gateway.config.yaml.tree import MAX_BYTES
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.table.position import Position, percent
from strangler_gateway.table.routes import MigrationState

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotEdited(Exception):
    """The file cannot be written; the message says why. It does not affect what is served."""


class FileReadOnly(NotEdited):
    """It may not be written here, as a mounted ConfigMap."""


_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Edit:
    """What the file has to say of a movable."""

    unit: str
    kind: Literal["group", "route"]
    position: Position


@dataclass(frozen=True, slots=True)
class Edited:
    """The file's text before and after."""

    before: str
    after: str


def edit(path: Path, edits: tuple[Edit, ...]) -> Edited:
    """Rewrites the file (a link stays a link). Blocks. Raises NotEdited."""
    try:
        real = path.resolve(strict=True)
        if not real.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise FileReadOnly(f"{path.name} is read-only")
        before = read(real)
        after = rewrite(before, edits)
        if after != before:
            whole_file.replace(real, after.encode())
    except (OSError, ValueError) as exc:
        kind = FileReadOnly if isinstance(exc, OSError) and exc.errno in _READ_ONLY else NotEdited
        raise kind(f"{path.name} cannot be written: {reason(exc)}") from exc
    return Edited(before, after)


def read(path: Path) -> str:
    """The file's text, line ends as they are. Raises OSError, ValueError (not UTF-8, too big)."""
    return whole_file.read(path, MAX_BYTES).decode()


def rewrite(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with new states. It has to be YAML, not a routes file without faults. Raises NotEdited."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text[len(mark) :]
    wanted = copy.deepcopy(yaml_source.read(text, {}).data)
    for one in edits:
        movables, key = _place_of(wanted, one)
        movable = movables[key] or {}
        if one.position.state is MigrationState.LEGACY and "state" not in movable:
            continue
        movables[key] = movable | _fields(one.position)
        text = _rewritten(text, one)
    if yaml_source.read(text, {}).data != wanted:
        raise NotEdited("an alias or an unusual form would change more than this: edit it by hand")
    return mark + text


def _fields(position: Position) -> dict[str, object]:
    """How the file says a position; outside canary the share stays."""
    share = {"share": percent(position.share)} if position.state is MigrationState.CANARY else {}
    return {"state": str(position.state), **share}


def _place_of(data: dict[str, Any], one: Edit) -> tuple[Any, Any]:
    """The container of the movable in the file's data, and its key there; it is a mapping, or a blank group."""
    holder: Any = data.get("groups" if one.kind == "group" else "routes")
    with contextlib.suppress(KeyError, TypeError, IndexError, StopIteration):
        if one.kind == "group" and (holder[one.unit] is None or isinstance(holder[one.unit], dict)):
            return holder, one.unit
        if one.kind == "route":
            return holder, next(i for i, r in enumerate(holder) if isinstance(r, dict) and r.get("id") == one.unit)
    raise NotEdited(f"the file has no {one.kind} {one.unit}")


def _rewritten(text: str, one: Edit) -> str:
    for name, value in _fields(one.position).items():
        text = _with_field(text, one, name, f"{value:g}" if isinstance(value, float) else str(value))
    return text


def _with_field(text: str, one: Edit, name: str, value: str) -> str:
    """The text with one field of the movable set: in its place, or beside the state, or beside the first field."""
    key, movable = _located(text, one)
    if not isinstance(movable, yaml.MappingNode):
        at = text.index(":", key.end_mark.index) + 1
        return f"{text[:at]} {{{name}: {value}}}{text[at:]}"
    fields = {field.value: (field, node) for field, node in movable.value if isinstance(field, yaml.ScalarNode)}
    if name in fields:
        return _replaced(text, *fields[name], value)
    beside = fields.get("state") or (movable.value[0] if movable.value else None)
    return _inserted(text, movable, beside, f"{name}: {value}")


def _located(text: str, one: Edit) -> tuple[yaml.Node, yaml.Node]:
    """The movable's nodes in the text: its key (for a route, its `id`) and its mapping."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        top = {key.value: value for key, value in root.value} if root else {}
        if one.kind == "group":
            return next((key, value) for key, value in top["groups"].value if key.value == one.unit)
        routes = [route for route in top["routes"].value if isinstance(route, yaml.MappingNode)]
        ids = [(key, value, route) for route in routes for key, value in route.value if key.value == "id"]
        return next((key, route) for key, value, route in ids if value.value == one.unit)
    except (yaml.YAMLError, KeyError, AttributeError, TypeError, StopIteration, RecursionError) as exc:
        raise NotEdited(f"{one.kind} {one.unit} cannot be found in the text of the file") from exc


def _replaced(text: str, key: yaml.Node, node: yaml.Node, value: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if start < key.end_mark.index or start == end:
        raise NotEdited(f"line {key.start_mark.line + 1}: `{key.value}` is an alias or empty: edit it by hand")
    if "${" in text[start:end]:
        raise NotEdited(f"line {key.start_mark.line + 1}: `{key.value}` is set by a variable: set it there")
    return text[:start] + value + text[end:]


def _inserted(text: str, movable: yaml.MappingNode, beside: tuple[yaml.Node, yaml.Node] | None, field: str) -> str:
    start = movable.start_mark.index
    if beside is None:
        return f"{text[: start + 1]}{field}{text[start + 1 :]}"
    key, node = beside
    if movable.flow_style:
        at = node.end_mark.index if isinstance(node, yaml.ScalarNode) else start + 1
        return f"{text[:at]}, {field}{text[at:]}" if at != start + 1 else f"{text[:at]}{field}, {text[at:]}"
    return _inserted_line(text, key, node, field)


def _inserted_line(text: str, key: yaml.Node, node: yaml.Node, field: str) -> str:
    """On the line after a one-line field, or before a longer field."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    indent = " " * key.start_mark.column
    if isinstance(node, yaml.ScalarNode) and node.start_mark.line == node.end_mark.line == key.start_mark.line:
        at = text.find("\n", node.end_mark.index)
        if at < 0:
            return f"{text}{line_end}{indent}{field}"
        return f"{text[: at + 1]}{indent}{field}{line_end}{text[at + 1 :]}"
    at = key.start_mark.index
    return f"{text[:at]}{field}{line_end}{indent}{text[at:]}"
