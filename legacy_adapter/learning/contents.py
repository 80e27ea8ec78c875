"""Learning's port for contents on the monolith's documents."""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from chassis.failpoints import reach
from extracted.learning.contents.domain import Json
from extracted.learning.domain import ListQuery, NotFound, Unexpected
from legacy_adapter.documents.minimized import minimized
from legacy_adapter.documents.port import Document, DocumentStore
from legacy_adapter.learning.collections import CONTENTS
from legacy_adapter.learning.pages import page, refusing
from legacy_adapter.learning.tree_store import TreeStore
from legacy_adapter.learning.trees import TreePlan, planned_change, planned_new, planned_removal
from legacy_adapter.learning.views import component_view, plain, without_mongo_fields

_FIELDS: Final = ("name", "description", "type", "reward", "rootComponent", "data")


class LegacyContents:
    """Implements the port ContentStore."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        self._trees = TreeStore(documents)

    async def select(self, query: ListQuery) -> Sequence[Json]:
        """Two queries, however long the page and however large its trees are."""
        return await self.shown(await page(self._documents, CONTENTS, query))

    async def find(self, content_id: str) -> Json | None:
        """Two queries."""
        content = await self._documents.find_one(CONTENTS, content_id)
        return None if content is None else (await self.shown([content]))[0]

    async def shown(self, contents: Sequence[Document]) -> Sequence[Json]:
        """Contents with their trees, in one query."""
        roots = await self._trees.roots(contents)
        return [_shown(content, roots.get(content["rootComponent"])) for content in contents]

    async def add(self, new: Json) -> Json:
        """The tree first, then the content that names it."""
        plan = planned_new(new.get("rootComponent"))
        async with refusing():
            await self._trees.write(plan)
            fields = minimized(_fields(new, plan)) | {"id": str(uuid.uuid4())}
            content = await self._documents.add(CONTENTS, fields)
        return _shown(content, plan.root)

    async def replace(self, content_id: str, new: Json) -> Json:
        """Writes nothing before all checks. A root with its id shows the new tree as soon as it is written."""
        _, root = await self._with_root(content_id)
        plan = planned_change(await self._trees.present(root), root["id"], new["rootComponent"])
        async with refusing():
            await self._trees.write(plan)
            changed = await self._documents.set_fields(CONTENTS, content_id, _fields(new, plan))
            await reach("learning.content_changed")
            if changed is None:
                await self._trees.remove(_without(plan))
                raise NotFound(f"content {content_id} was deleted meanwhile")
            await self._trees.remove(plan)
            await self._trees.mend(plan.root["_id"])
        return _shown(changed, plan.root)

    async def remove(self, content_id: str) -> Json:
        """The content first, so that nobody reads a tree that is being removed."""
        content, root = await self._with_root(content_id)
        plan = planned_removal(await self._trees.present(root))
        if not await self._documents.remove(CONTENTS, content_id):
            raise NotFound(f"content {content_id} was deleted meanwhile")
        await reach("learning.content_removed")
        await self._trees.remove(plan)
        return minimized(plain({**content, "rootComponent": without_mongo_fields(root)}))

    async def _with_root(self, content_id: str) -> tuple[Document, Document]:
        content = await self._documents.find_one(CONTENTS, content_id)
        if content is None:
            raise NotFound(f"there is no content {content_id}")
        root = (await self._trees.roots([content])).get(content["rootComponent"])
        if root is None:
            raise Unexpected("the root component is gone")
        return content, root


def _fields(new: Json, plan: TreePlan) -> dict[str, Any]:
    """In the order of the monolith's schema."""
    fields = {**new, "rootComponent": plan.root["_id"]}
    return {name: fields[name] for name in _FIELDS}


def _without(plan: TreePlan) -> TreePlan:
    """Undoes what the plan has added."""
    return TreePlan(
        removed_components=[document["id"] for document in plan.new_components],
        removed_validators=[document["id"] for document in plan.new_validators],
    )


def _shown(content: Document, root: Document | None) -> Json:
    """Fields in the stored order, without empty objects (corrections C3)."""
    tree = None if root is None else component_view(root)
    return minimized(without_mongo_fields(content) | {"rootComponent": tree})
