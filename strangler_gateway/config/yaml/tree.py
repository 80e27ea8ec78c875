"""YAML text as PyYAML's nodes, within bounds; scalars stay as they are written."""

from collections.abc import Iterable

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = MAX_BYTES
"""More than so many bytes can hold."""

_Loader: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Unreadable(Exception):
    """The text is not YAML that is accepted here; `line` is 1-based."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def tree(text: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> yaml.Node:
    """The root of the one document. Raises Unreadable."""
    if len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise Unreadable(1, f"the file has more than {max_bytes} bytes")
    try:
        _check(yaml.parse(text, Loader=_Loader), max_depth, max_nodes)  # before composing, which recurses
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        found = ", ".join(filter(None, (exc.context, exc.problem)))
        raise Unreadable(mark.line + 1 if mark else 1, f"not YAML: {found}") from exc
    except (yaml.YAMLError, UnicodeError) as exc:
        raise Unreadable(1, "not YAML: a character that YAML does not allow; save the file as plain UTF-8") from exc
    if root is None:
        raise Unreadable(1, "the file is empty; at least version, services and routes are required")
    return root


def _check(events: Iterable[yaml.Event], max_depth: int, max_nodes: int) -> None:
    documents = nodes = 0
    unclosed: list[str | None] = []
    complete: set[str | None] = set()
    """Anchors; None for what has none."""
    for event in events:
        anchor = getattr(event, "anchor", None)
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if documents > 1:
            raise Unreadable(line_of(event), "a second YAML document (---) begins here; one file holds one")
        if getattr(event, "tag", None) is not None:
            raise Unreadable(line_of(event), "tags (!) are not allowed; write the plain value")
        if isinstance(event, yaml.AliasEvent) and anchor not in complete:
            raise Unreadable(line_of(event), f"the alias *{anchor} must refer to an anchor that is complete before it")
        if isinstance(event, yaml.CollectionStartEvent):
            unclosed.append(anchor)
        else:
            complete.add(unclosed.pop() if isinstance(event, yaml.CollectionEndEvent) else anchor)
        if nodes > max_nodes:
            raise Unreadable(line_of(event), f"more than {max_nodes} values")
        if len(unclosed) > max_depth:
            raise Unreadable(line_of(event), f"nested deeper than {max_depth} levels")


def line_of(read: yaml.Node | yaml.Event) -> int:
    """The line that a node or event begins on, 1-based."""
    return read.start_mark.line + 1 if read.start_mark else 1
