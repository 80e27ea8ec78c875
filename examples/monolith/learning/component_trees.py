"""Contract section 6.2: the tree of components and validators below a content.

Each node is a document of its own, and a copy of it is embedded in its parent's `data`.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import InternalFailure, bad_request, not_found
from examples.monolith.learning.component_shapes import VALIDATOR
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document, ObjectIds, without_mongo_fields
from examples.monolith.storage.tables import components, validators

Nodes = list[Document] | None
"""A component's children or validators; None: the component has no such field."""

TYPES = ("container", "editor", "quizz", "markdown")


class ComponentTrees:
    """Writes trees in one transaction; returns whole documents, as parents embed them."""

    def __init__(self, connection: AsyncConnection, object_ids: ObjectIds) -> None:
        self._connection = connection
        self._object_ids = object_ids

    async def create(self, new: Document | None) -> Document:
        """Raises InternalFailure for a missing component or an unknown type."""
        if new is None:
            raise InternalFailure("a component is missing")
        data = dict(new["data"])
        if data.get("components"):
            data["components"] = [await self.create(child) for child in data["components"]]
        if data.get("validators"):
            data["validators"] = [await self._add(validators, _validator(each)) for each in data["validators"]]
        return await self._add(components, {"type": _type(new), "data": data})

    async def update(self, component_id: str, changes: Document) -> Document:
        """Creates nodes without id, changes nodes with id, removes nodes no longer named. Raises HttpError."""
        present = await self._find(component_id)
        data = dict(changes["data"])
        if data.get("components") is not None:
            data["components"] = await self._update_children(_nodes(present, "components"), data["components"])
        if data.get("validators") is not None:
            data["validators"] = await self._update_validators(_nodes(present, "validators"), data["validators"])
        await self._remove_nodes(present, but=data)
        return await self._set(components, component_id, changes | {"type": _type(changes), "data": data})

    async def remove(self, component_id: str) -> None:
        """Ignores a component that is gone."""
        present = await documents.find_one(self._connection, components, component_id)
        if present is not None:
            await self._remove_nodes(present, but={})
            await documents.remove(self._connection, components, component_id)

    async def _update_children(self, present: Nodes, wanted: list[Document]) -> list[Document]:
        for unknown in _unknown(present, wanted):
            raise bad_request(f"Cannot add component with id {unknown}")
        return [await (self.update(child["id"], child) if child.get("id") else self.create(child)) for child in wanted]

    async def _update_validators(self, present: Nodes, wanted: list[Document]) -> list[Document]:
        for unknown in _unknown(present, wanted):
            raise bad_request(f"Cannot find validator with id {unknown} for this component")
        return [
            await (
                self._set(validators, each["id"], each) if each.get("id") else self._add(validators, _validator(each))
            )
            for each in wanted
        ]

    async def _remove_nodes(self, present: Document, but: Mapping[str, Any]) -> None:
        kept = {node["id"] for name in ("components", "validators") for node in but.get(name) or ()}
        for child in _nodes(present, "components") or ():
            if child["id"] not in kept:
                await self.remove(child["id"])
        for validator in _nodes(present, "validators") or ():
            if validator["id"] not in kept:
                await documents.remove(self._connection, validators, validator["id"])

    async def _find(self, component_id: str) -> Document:
        present = await documents.find_one(self._connection, components, component_id)
        if present is None:
            raise not_found()
        return present

    async def _add(self, collection: Table, new: Document) -> Document:
        named = new | {"id": str(uuid.uuid4())}
        return await documents.add(self._connection, collection, self._object_ids.next(), named)

    async def _set(self, collection: Table, public_id: str, fields: Document) -> Document:
        changed = await documents.set_fields(self._connection, collection, public_id, fields)
        if changed is None:
            raise not_found()
        return changed


def _type(component: Document) -> str:
    """Raises InternalFailure for an unknown type, which passes validation (fault F18)."""
    kind = str(component["type"])
    if kind not in TYPES:
        raise InternalFailure(f"{kind!r} is not a type of component")
    return kind


def _validator(sent: Document) -> Document:
    """The validator's properties in the order of the schema."""
    return {name: sent[name] for name in VALIDATOR}


def _nodes(component: Document, name: str) -> Nodes:
    nodes: Nodes = (component.get("data") or {}).get(name)
    return nodes


def _unknown(present: Nodes, wanted: list[Document]) -> list[str]:
    """Requested ids that do not exist."""
    known = {node["id"] for node in present or ()}
    return [node["id"] for node in wanted if node.get("id") and node["id"] not in known]


def component_json(component: Document) -> Document:
    """The tree without MongoDB's own fields."""
    shown = without_mongo_fields(component)
    if isinstance(data := shown.get("data"), dict):
        shown["data"] = dict(data)
        if data.get("components") is not None:
            shown["data"]["components"] = [component_json(child) for child in data["components"]]
        if data.get("validators") is not None:
            shown["data"]["validators"] = [without_mongo_fields(validator) for validator in data["validators"]]
    return shown
