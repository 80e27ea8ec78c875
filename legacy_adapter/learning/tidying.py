"""Finds what a crash leaves of a tree: documents that no content reaches, and copies whose documents are gone."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bson import ObjectId

from extracted.learning.contents.domain import Tidied
from legacy_adapter.documents.port import Document, DocumentStore
from legacy_adapter.learning.collections import COMPONENTS, CONTENTS, VALIDATORS
from legacy_adapter.learning.tree_store import TreeStore
from legacy_adapter.learning.trees import named

PAGE: Final = 500
"""Documents that are in memory at once."""


@dataclass(slots=True)
class _Names:
    """Public ids of the nodes below a component, by its own document."""

    object_id: ObjectId
    components: frozenset[str]
    validators: frozenset[str]


@dataclass(slots=True)
class _Forest:
    """All nodes, and the roots that contents name."""

    components: dict[str, _Names] = field(default_factory=dict)
    validators: dict[str, ObjectId] = field(default_factory=dict)
    roots: set[ObjectId] = field(default_factory=set)

    def reached(self) -> tuple[set[str], set[str]]:
        """Components and validators of a content. A node that an older copy names is reached, too."""
        open_ = [public_id for public_id, names in self.components.items() if names.object_id in self.roots]
        components, validators = set(open_), set[str]()
        while open_:
            names = self.components.get(open_.pop())
            if names is not None:
                validators |= names.validators
                open_ += names.components - components
                components |= names.components
        return components, validators


class LegacyTreeCare:
    """Implements the port TreeCare."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        self._trees = TreeStore(documents)

    async def tidy(self, before: datetime, *, remove: bool) -> Tidied:
        """Reads every document once, `PAGE` at a time.

        A change at the same time looks for missing documents after it has written, and so does this after it has
        removed: whichever comes last restores a node that the other needs.
        """
        forest = await self._forest()
        components, validators = forest.reached()
        there = {public_id: names.object_id for public_id, names in forest.components.items()}
        loose = _older(there, components, before)
        loose_validators = _older(forest.validators, validators, before)
        holes = (components - forest.components.keys()) | (validators - forest.validators.keys())
        if remove:
            await self._documents.remove_all(COMPONENTS, loose)
            await self._documents.remove_all(VALIDATORS, loose_validators)
            await self._mend(holes | {*loose, *loose_validators})
        return Tidied(loose, loose_validators, sorted(holes))

    async def _forest(self) -> _Forest:
        forest = _Forest()
        async for document in self._all(COMPONENTS):
            kinds: dict[str, set[str]] = {"components": set(), "validators": set()}
            for kind, copy in named(document):
                kinds[kind].add(copy["id"])
            names = _Names(document["_id"], frozenset(kinds["components"]), frozenset(kinds["validators"]))
            forest.components[document["id"]] = names
        async for document in self._all(VALIDATORS):
            forest.validators[document["id"]] = document["_id"]
        async for document in self._all(CONTENTS):
            forest.roots.add(document["rootComponent"])
        return forest

    async def _mend(self, missing: set[str]) -> None:
        if not missing:
            return
        async for content in self._all(CONTENTS):
            root = (await self._trees.roots([content])).get(content["rootComponent"])
            if root is not None and any(copy["id"] in missing for _, copy in named(root)):
                await self._trees.mend(root["_id"])

    async def _all(self, collection: str) -> AsyncIterator[Document]:
        last: ObjectId | None = None
        while page := await self._documents.after(collection, last, PAGE):
            for document in page:
                yield document
            last = page[-1]["_id"]


def _older(nodes: dict[str, ObjectId], reached: Iterable[str], before: datetime) -> list[str]:
    """Nodes that no content reaches. The time of an `_id` counts: what is being written now is younger."""
    return sorted(one for one in nodes.keys() - reached if nodes[one].generation_time < before)
