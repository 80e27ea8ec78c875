"""What a module refers to: modules, contents and its author, stored as ObjectIds and a user's id."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import UncaughtFailure, not_found
from examples.monolith.learning.contents import contents_json
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document, plain
from examples.monolith.storage.tables import contents, modules, users
from examples.monolith.users.users import user_json

COLLECTIONS = {"modules": modules, "contents": contents}
Links = dict[str, Any]
"""A module's `modules` and `contents`, as shown to the client."""


class Authors:
    """The users who wrote some modules."""

    def __init__(self, shown: dict[str, Document]) -> None:
        self._shown = shown

    @classmethod
    async def of(cls, connection: AsyncConnection, found: Iterable[Document]) -> Self:
        """Loads the authors of these modules in one query."""
        wanted = {module["authorId"] for module in found}
        rows = await connection.execute(select(users).where(users.c.id.in_(wanted)))
        return cls({row.id: user_json(row) for row in rows})

    def json_of(self, user_id: str) -> Document:
        """The author as JSON; empty when the user is gone."""
        return self._shown.get(user_id, {})


async def find_modules(connection: AsyncConnection, public_ids: Sequence[str]) -> list[Document]:
    """References to modules. Raises HttpError when one does not exist."""
    references = await _references(connection, modules, public_ids)
    if None in references:
        raise not_found()
    return [reference for reference in references if reference]


async def find_contents(connection: AsyncConnection, public_ids: Sequence[str] | None) -> list[Document]:
    """References to contents. Raises UncaughtFailure without a list, or when one does not exist (fault F17)."""
    if public_ids is None:
        raise UncaughtFailure("contents are missing")
    references = await _references(connection, contents, public_ids)
    if None in references:
        raise UncaughtFailure("a content does not exist")
    return [reference for reference in references if reference]


async def _references(
    connection: AsyncConnection, collection: Table, public_ids: Sequence[str]
) -> list[Document | None]:
    known = await documents.find_by_public_id(connection, collection, public_ids)
    return [known[wanted]["_id"] if wanted in known else None for wanted in public_ids]


def object_ids_in(module: Document) -> Links:
    return {name: plain(module[name]) for name in COLLECTIONS}


async def listed_links(connection: AsyncConnection, found: Sequence[Document]) -> list[Links]:
    """For each module the public ids of what exists, in one query per collection."""
    shown: list[Links] = [{} for _ in found]
    for name, collection in COLLECTIONS.items():
        wanted = {oid for module in found for oid in plain(module[name])}
        known = await documents.find_by_object_id(connection, collection, wanted)
        for links, module in zip(shown, found, strict=True):
            links[name] = [{"id": known[oid]["id"]} for oid in plain(module[name]) if oid in known]
    return shown


async def full_links(connection: AsyncConnection, module: Document) -> Links:
    """Modules as raw documents, contents with their trees; without missing ones."""
    found = {
        name: await _in_order(connection, collection, plain(module[name])) for name, collection in COLLECTIONS.items()
    }
    return {
        "modules": [plain(document) for document in found["modules"]],
        "contents": await contents_json(connection, found["contents"]),
    }


async def _in_order(connection: AsyncConnection, collection: Table, object_ids: list[str]) -> list[Document]:
    known = await documents.find_by_object_id(connection, collection, object_ids)
    return [known[object_id] for object_id in object_ids if object_id in known]
