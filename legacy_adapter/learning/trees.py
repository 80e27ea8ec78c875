"""The tree of components and validators below a content, as the monolith stores it.

Each node is a document of its own, and its parent's `data` has a whole copy of it. Plans are pure: they say which
documents to write, children before parents, and which to remove afterwards.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from extracted.learning.contents.domain import COMPONENT_TYPES, MOST_LEVELS, Json, TreeRefused
from extracted.learning.domain import NotFound, ValueRefused
from legacy_adapter.documents.minimized import minimized
from legacy_adapter.documents.port import Document, new_document

_CHILDREN: Final = "components"
_TESTS: Final = "validators"
_OF_VALIDATOR: Final = ("isHidden", "input", "expected")


@dataclass(slots=True)
class PresentTree:
    """The own documents of a stored tree, by their public ids."""

    components: dict[str, Document] = field(default_factory=dict)
    validators: dict[str, Document] = field(default_factory=dict)


@dataclass(slots=True)
class TreePlan:
    """`root`: the root's document as it will be. Lists are in the order of writing."""

    root: Document = field(default_factory=dict)
    new_validators: list[Document] = field(default_factory=list)
    new_components: list[Document] = field(default_factory=list)
    changed_validators: list[tuple[str, Document]] = field(default_factory=list)
    changed_components: list[tuple[str, Document]] = field(default_factory=list)
    removed_components: Sequence[str] = ()
    removed_validators: Sequence[str] = ()


def nodes(component: Document, name: str) -> Sequence[Document]:
    """The copies in a component's `components` or `validators`."""
    data = component.get("data")
    return (data.get(name) or ()) if isinstance(data, Mapping) else ()


def named(component: Document) -> Iterator[tuple[str, Document]]:
    """Every copy below a component, at any depth: (its kind, the copy)."""
    for validator in nodes(component, _TESTS):
        yield _TESTS, validator
    for child in nodes(component, _CHILDREN):
        yield _CHILDREN, child
        yield from named(child)


def planned_new(root: Json | None) -> TreePlan:
    """A new tree. Raises ValueRefused for a missing root, and for an unknown type (fault F18)."""
    drafting = _Drafting(PresentTree())
    drafting.plan.root = drafting.create(root, 1)
    return drafting.plan


def planned_change(present: PresentTree, old_root: str, root: Json) -> TreePlan:
    """The tree becomes `root`, whose nodes without id are new. A root without id is a new tree.

    Checks in the monolith's order. Raises TreeRefused, NotFound for a document that is gone, ValueRefused.
    """
    drafting = _Drafting(present)
    if not root.get("id"):
        drafting.plan.root = drafting.create(root, 1)
    elif root["id"] != old_root:
        raise TreeRefused("Cannot change root component to an existing one")
    else:
        drafting.plan.root = drafting.update(old_root, root, 1)
    drafting.remove_others()
    return drafting.plan


def planned_removal(present: PresentTree) -> TreePlan:
    """Nothing of the tree stays."""
    return TreePlan(removed_components=list(present.components), removed_validators=list(present.validators))


class _Drafting:
    """Walks a wanted tree and notes what to write."""

    def __init__(self, present: PresentTree) -> None:
        self.plan = TreePlan()
        self._present = present
        self._kept: set[str] = set()

    def create(self, new: Json | None, level: int) -> Document:
        if new is None:
            raise ValueRefused("a component is missing")
        data = dict(new["data"])
        if data.get(_CHILDREN):
            data[_CHILDREN] = [self.create(child, _deeper(level)) for child in data[_CHILDREN]]
        if data.get(_TESTS):
            data[_TESTS] = [self._new_validator(test) for test in data[_TESTS]]
        return _added(self.plan.new_components, {"type": _type(new), "data": data})

    def update(self, component_id: str, wanted: Json, level: int) -> Document:
        present = self._present.components.get(component_id)
        if present is None:
            raise NotFound(f"component {component_id} is gone")
        self._kept.add(component_id)
        data = dict(wanted["data"])
        if data.get(_CHILDREN) is not None:
            for unknown in _unknown(nodes(present, _CHILDREN), data[_CHILDREN]):
                raise TreeRefused(f"Cannot add component with id {unknown}")
            data[_CHILDREN] = [self._child(child, _deeper(level)) for child in data[_CHILDREN]]
        if data.get(_TESTS) is not None:
            for unknown in _unknown(nodes(present, _TESTS), data[_TESTS]):
                raise TreeRefused(f"Cannot find validator with id {unknown} for this component")
            data[_TESTS] = [self._validator(test) for test in data[_TESTS]]
        fields = {**wanted, "type": _type(wanted), "data": data}
        return _changed(self._present.components, self.plan.changed_components, component_id, fields)

    def remove_others(self) -> None:
        """Everything that was there and that the walk has not kept."""
        self.plan.removed_components = [one for one in self._present.components if one not in self._kept]
        self.plan.removed_validators = [one for one in self._present.validators if one not in self._kept]

    def _child(self, wanted: Json, level: int) -> Document:
        return self.update(wanted["id"], wanted, level) if wanted.get("id") else self.create(wanted, level)

    def _validator(self, wanted: Json) -> Document:
        if not wanted.get("id"):
            return self._new_validator(wanted)
        self._kept.add(wanted["id"])
        return _changed(self._present.validators, self.plan.changed_validators, wanted["id"], wanted)

    def _new_validator(self, wanted: Json) -> Document:
        return _added(self.plan.new_validators, {name: wanted[name] for name in _OF_VALIDATOR})


def _added(new: list[Document], fields: Mapping[str, Any]) -> Document:
    document = new_document(minimized(fields) | {"id": str(uuid.uuid4())})
    new.append(document)
    return document


def _changed(
    present: dict[str, Document], changes: list[tuple[str, Document]], public_id: str, fields: Document
) -> Document:
    """The document after the change, which the parent copies. Raises NotFound."""
    if public_id not in present:
        raise NotFound(f"node {public_id} is gone")
    changes.append((public_id, fields))
    present[public_id] = {**present[public_id], **fields}
    return present[public_id]


def _type(component: Json) -> str:
    kind = str(component["type"])
    if kind not in COMPONENT_TYPES:
        raise ValueRefused("a component has an unknown type")
    return kind


def _deeper(level: int) -> int:
    if level >= MOST_LEVELS:
        raise ValueRefused(f"components nest deeper than {MOST_LEVELS} levels")
    return level + 1


def _unknown(present: Sequence[Document], wanted: Sequence[Json]) -> Iterator[str]:
    """Ids that are wanted but not present."""
    known = {node["id"] for node in present}
    return (node["id"] for node in wanted if node.get("id") and node["id"] not in known)
