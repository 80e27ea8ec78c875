"""Contract section 6.2: contents."""

import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import may
from examples.monolith.http.errors import UncaughtFailure, bad_request, not_found
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.learning.component_shapes import COMPONENT_CHANGES, NEW_COMPONENT
from examples.monolith.learning.component_trees import ComponentTrees, component_json
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document, plain, without_mongo_fields
from examples.monolith.storage.minimized import minimized
from examples.monolith.storage.tables import components, contents
from examples.monolith.validation.shapes import (
    IS_NUMBER,
    IS_OBJECT,
    IS_STRING,
    Property,
    Shape,
    at_least,
    min_length,
    nested,
    one_of,
    required,
)

NEW_CONTENT: Shape = {
    "name": required(IS_STRING, min_length(3)),
    "description": required(IS_STRING, min_length(3)),
    "type": required(one_of("exercise", "lesson")),
    "reward": required(IS_NUMBER, at_least(0)),
    "rootComponent": Property((IS_OBJECT,), shape=NEW_COMPONENT, optional=True),
    "data": required(IS_OBJECT),
}
CONTENT_CHANGES: Shape = {**NEW_CONTENT, "rootComponent": nested(COMPONENT_CHANGES)}
FIELDS = ("name", "description", "type", "reward", "rootComponent", "data")


async def create_content(request: CheckedRequest) -> ResponseContent:
    """A missing root passes validation and fails here."""
    object_ids = request.monolith.object_ids
    async with request.monolith.database.write() as connection:
        root = await ComponentTrees(connection, object_ids).create(request.body.get("rootComponent"))
        new = _fields(request.body, root) | {"id": str(uuid.uuid4())}
        content = await documents.add(connection, contents, object_ids.next(), new)
        return data_response(await _content_json(connection, content), 201)


async def list_contents(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        found = await documents.find_page(connection, contents, request.page)
        shown = await contents_json(connection, found)
    return data_response(shown, metadata=request.page.metadata(len(shown)))


async def get_content(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        return data_response(
            await _content_json(connection, await find_content(connection, request.params["contentId"]))
        )


async def replace_content(request: CheckedRequest) -> ResponseContent:
    """Replaces the whole tree; a root without id replaces the old root."""
    async with request.monolith.database.write() as connection:
        content = await find_content(connection, request.params["contentId"])
        old = await root_of(connection, content)
        new = await _replaced(
            ComponentTrees(connection, request.monolith.object_ids), old, request.body["rootComponent"]
        )
        changed = await documents.set_fields(connection, contents, content["id"], _fields(request.body, new))
        return data_response(await _content_json(connection, changed or content))


async def _replaced(trees: ComponentTrees, old: Document, wanted: Document) -> Document:
    if not wanted.get("id"):
        await trees.remove(old["id"])
        return await trees.create(wanted)
    if wanted["id"] != old["id"]:
        raise bad_request("Cannot change root component to an existing one")
    return await trees.update(old["id"], wanted)


def _fields(body: Document, root: Document) -> Document:
    """Fields in the order of the schema, not of the body."""
    fields = body | {"rootComponent": root["_id"]}
    return {name: fields[name] for name in FIELDS}


async def delete_content(request: CheckedRequest) -> ResponseContent:
    """Only the entity tag shows what was removed."""
    async with request.monolith.database.write() as connection:
        content = await find_content(connection, request.params["contentId"])
        root = await root_of(connection, content)
        await ComponentTrees(connection, request.monolith.object_ids).remove(root["id"])
        await documents.remove(connection, contents, content["id"])
    return data_response(minimized(plain(content | {"rootComponent": without_mongo_fields(root)})), 204)


async def find_content(connection: AsyncConnection, content_id: str) -> Document:
    content = await documents.find_one(connection, contents, content_id)
    if content is None:
        raise not_found()
    return content


async def root_of(connection: AsyncConnection, content: Document) -> Document:
    roots = await _roots_of(connection, [content])
    if not roots:
        raise UncaughtFailure("the root component is gone")
    return roots[_root_id(content)]


async def _roots_of(connection: AsyncConnection, found: Iterable[Document]) -> dict[str, Document]:
    return await documents.find_by_object_id(connection, components, map(_root_id, found))


def _root_id(content: Document) -> str:
    return str(content["rootComponent"]["$oid"])


async def _content_json(connection: AsyncConnection, content: Document) -> Document:
    return (await contents_json(connection, [content]))[0]


async def contents_json(connection: AsyncConnection, found: Sequence[Document]) -> list[Document]:
    """Contents with their trees: fields in the stored order, without empty objects (C3)."""
    roots = await _roots_of(connection, found)
    return [_shown(content, roots.get(_root_id(content))) for content in found]


def _shown(content: Document, root: Document | None) -> Document:
    shown = without_mongo_fields(content)
    return minimized(shown | {"rootComponent": component_json(root) if root else None})


LISTING = Listing(("name", "reward"), {"name": True})

ENDPOINTS = (
    Endpoint("POST", "/content", create_content, may("create", "content"), body=NEW_CONTENT),
    Endpoint("GET", "/content", list_contents, may("read", "content"), listing=LISTING),
    Endpoint("GET", "/content/:contentId", get_content, may("read", "content")),
    Endpoint("PUT", "/content/:contentId", replace_content, may("update", "content"), body=CONTENT_CHANGES),
    Endpoint("DELETE", "/content/:contentId", delete_content, may("delete", "content")),
)
