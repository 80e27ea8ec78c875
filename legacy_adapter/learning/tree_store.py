"""Reads and writes the trees of contents, in an order that leaves no hole: see `trees`."""

from collections.abc import Mapping, Sequence
from typing import Final

from bson import ObjectId

from chassis.failpoints import reach
from legacy_adapter.documents.port import Document, DocumentStore
from legacy_adapter.learning.collections import COMPONENTS, VALIDATORS
from legacy_adapter.learning.trees import PresentTree, TreePlan, named

_COLLECTION: Final = {"components": COMPONENTS, "validators": VALIDATORS}


class TreeStore:
    """Every tree has one root, by whose `_id` its content knows it."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def roots(self, contents: Sequence[Document]) -> Mapping[ObjectId, Document]:
        """Those that exist, by their `_id`, in one query: a root has copies of its whole tree."""
        object_ids = {content["rootComponent"] for content in contents}
        return await self._documents.find_by_object_id(COMPONENTS, object_ids) if object_ids else {}

    async def present(self, root: Document) -> PresentTree:
        """The own documents of all nodes: two queries, unless a copy is older than the document."""
        tree = PresentTree({root["id"]: root})
        asked: set[str] = {root["id"]}
        wanted = _ids(root, "components")
        while missing := wanted - asked:
            asked |= missing
            found = await self._documents.find_all(COMPONENTS, missing)
            tree.components.update(found)
            wanted = {public_id for document in found.values() for public_id in _ids(document, "components")}
        tests = {public_id for document in tree.components.values() for public_id in _ids(document, "validators")}
        tree.validators.update(await self._documents.find_all(VALIDATORS, tests) if tests else {})
        return tree

    async def write(self, plan: TreePlan) -> None:
        """Everything but removals. Until the root is written, readers have the tree from before."""
        if plan.new_validators:
            await self._documents.insert(VALIDATORS, plan.new_validators)
            await reach("learning.validators_added")
        if plan.new_components:
            await self._documents.insert(COMPONENTS, plan.new_components)
            await reach("learning.components_added")
        if plan.changed_validators:
            await self._documents.set_each(VALIDATORS, plan.changed_validators)
            await reach("learning.validators_changed")
        if plan.changed_components:
            await self._documents.set_each(COMPONENTS, plan.changed_components)
            await reach("learning.components_changed")

    async def remove(self, plan: TreePlan) -> None:
        """What nobody names any more."""
        if plan.removed_components:
            await self._documents.remove_all(COMPONENTS, plan.removed_components)
            await reach("learning.components_removed")
        if plan.removed_validators:
            await self._documents.remove_all(VALIDATORS, plan.removed_validators)
            await reach("learning.validators_removed")

    async def mend(self, root_id: ObjectId) -> None:
        """Adds documents that another change of the same tree has removed meanwhile, from the copies of the root.

        Both changes look after they have written, so the one that comes last sees what the other has done.
        """
        root = (await self._documents.find_by_object_id(COMPONENTS, [root_id])).get(root_id)
        if root is None:
            return
        copies: dict[str, dict[str, Document]] = {"components": {}, "validators": {}}
        for kind, copy in named(root):
            copies[kind][copy["id"]] = copy
        for kind, wanted in copies.items():
            there = await self._documents.find_all(_COLLECTION[kind], wanted) if wanted else {}
            for public_id in wanted.keys() - there.keys():
                await self._documents.add_once(_COLLECTION[kind], wanted[public_id]["_id"], wanted[public_id])


def _ids(component: Document, wanted: str) -> set[str]:
    return {copy["id"] for kind, copy in named(component) if kind == wanted}
