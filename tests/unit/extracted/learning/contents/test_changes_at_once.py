"""Two changes of one content at the same time: the last root has documents for all of its nodes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from extracted.learning.domain import NotFound
from legacy_adapter.documents.port import DocumentStore
from legacy_adapter.learning.contents import LegacyContents
from legacy_adapter.learning.trees import TreePlan
from legacy_adapter.stores import opened
from tests.parity.learning.lessons import CONTENT
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.learning.contents.trees import changed, loose


@pytest.fixture
async def documents(file: MonolithData) -> AsyncIterator[DocumentStore]:
    stores = opened(file.url, file.documents_url)
    yield stores.documents
    await stores.aclose()


def as_it_is(content: Mapping[str, Any]) -> dict[str, Any]:
    return CONTENT | {"rootComponent": content["rootComponent"]}


def before(contents: LegacyContents, step: str, first: Any) -> None:
    """Runs something before the next change takes that step."""
    trees = contents._trees
    taken = getattr(trees, step)

    async def after_it(plan: TreePlan) -> None:
        setattr(trees, step, taken)
        await first()
        await taken(plan)

    setattr(trees, step, after_it)


async def test_a_change_that_began_before_another_has_removed_a_node(
    file: MonolithData, documents: DocumentStore
) -> None:
    keeping, removing = LegacyContents(documents), LegacyContents(documents)
    content = await keeping.add(CONTENT)
    before(keeping, "write", lambda: removing.replace(content["id"], changed(content)))
    await keeping.replace(content["id"], as_it_is(content))
    await expect_whole(file, keeping, content)


async def test_a_change_that_ends_before_another_removes_a_node(file: MonolithData, documents: DocumentStore) -> None:
    keeping, removing = LegacyContents(documents), LegacyContents(documents)
    has_planned, may_write = asyncio.Event(), asyncio.Event()
    content = await keeping.add(CONTENT)

    async def hold() -> None:
        has_planned.set()
        await may_write.wait()

    before(keeping, "write", hold)
    kept = asyncio.create_task(keeping.replace(content["id"], as_it_is(content)))
    await has_planned.wait()

    async def let_write() -> None:
        may_write.set()
        await kept

    before(removing, "remove", let_write)
    await removing.replace(content["id"], changed(content))
    await expect_whole(file, keeping, content)


async def expect_whole(file: MonolithData, contents: LegacyContents, content: Mapping[str, Any]) -> None:
    assert await contents.find(content["id"]) == content
    assert loose(file)[1] == set()


async def test_a_content_that_is_deleted_during_a_change(file: MonolithData, documents: DocumentStore) -> None:
    """The change is refused, and what it has added goes."""
    contents = LegacyContents(documents)
    content = await contents.add(CONTENT)
    before(contents, "write", lambda: LegacyContents(documents).remove(content["id"]))
    with pytest.raises(NotFound):
        await contents.replace(content["id"], changed(content))
    assert (loose(file), file.documents("content")) == ((set(), set()), [])
