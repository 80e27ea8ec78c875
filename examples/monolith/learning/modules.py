"""Contract section 6.1: modules."""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import may
from examples.monolith.http.errors import InternalFailure, not_found
from examples.monolith.http.javascript import number_text
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response, empty_response
from examples.monolith.learning.module_links import (
    Authors,
    find_contents,
    find_modules,
    full_links,
    listed_links,
    object_ids_in,
)
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document, ObjectIds
from examples.monolith.storage.tables import modules
from examples.monolith.validation.shapes import (
    ARE_STRINGS,
    IS_ARRAY,
    IS_NUMBER,
    IS_OBJECT,
    IS_STRING,
    Check,
    Property,
    Shape,
    is_number,
    length,
)

FIELDS: dict[str, tuple[Check, ...]] = {
    "name": (IS_STRING, *length(3, 30)),
    "description": (IS_STRING,),
    "type": (IS_STRING,),
    "reward": (IS_NUMBER,),
    "tags": (IS_ARRAY,),
    "data": (IS_OBJECT,),
    "modules": (IS_ARRAY, ARE_STRINGS),
    "contents": (IS_ARRAY, ARE_STRINGS),
}
"""The properties of a module, in the order of the schema."""
NEW_MODULE: Shape = {name: Property(checks) for name, checks in FIELDS.items()}
MODULE_CHANGES: Shape = {name: Property(checks, optional=True) for name, checks in FIELDS.items()}


async def create_module(request: CheckedRequest) -> ResponseContent:
    """The answer shows bare ObjectIds; every other route shows modules and contents (C5)."""
    new_id = request.monolith.object_ids.next()
    async with request.monolith.database.write() as connection:
        fields = await _fields(connection, request.body, request.monolith.object_ids)
        new = fields | {"authorId": request.user_id, "id": str(uuid.uuid4())}
        module = await documents.add(connection, modules, new_id, new)
        authors = await Authors.of(connection, [module])
    return data_response(_shown(module, object_ids_in(module), authors), 201)


async def list_modules(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        found = await documents.find_page(connection, modules, request.page)
        links = await listed_links(connection, found)
        authors = await Authors.of(connection, found)
    shown = [_shown(module, linked, authors) for module, linked in zip(found, links, strict=True)]
    return data_response(shown, metadata=request.page.metadata(len(shown)))


async def get_module(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        return data_response(await _module_json(connection, await _find_module(connection, request.params["moduleId"])))


async def change_module(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.write() as connection:
        fields = await _fields(connection, request.body, request.monolith.object_ids)
        module = await documents.set_fields(connection, modules, request.params["moduleId"], fields)
        if module is None:
            raise not_found()
        return data_response(await _module_json(connection, module))


async def delete_module(request: CheckedRequest) -> ResponseContent:
    """Succeeds also when there is no such module."""
    async with request.monolith.database.write() as connection:
        await documents.remove(connection, modules, request.params["moduleId"])
    return empty_response(204)


async def _fields(connection: AsyncConnection, body: Document, object_ids: ObjectIds) -> Document:
    """Fields as stored. `data` has no fields in the schema, so what was sent is dropped (fault F17)."""
    links = {
        "modules": await find_modules(connection, body.get("modules") or []),
        "contents": await find_contents(connection, body.get("contents")),
    }
    fields = {name: body[name] for name in FIELDS if name in body} | links
    if "data" in fields:
        fields["data"] = {"_id": {"$oid": object_ids.next()}}
    if fields.get("tags") is not None:
        fields["tags"] = [_tag(tag) for tag in fields["tags"]]
    return {name: fields[name] for name in FIELDS if name in fields}


def _tag(tag: Any) -> str:
    """Tags are texts: a number becomes text; any other type is a 500."""
    if isinstance(tag, str):
        return tag
    if is_number(tag):
        return number_text(tag)
    raise InternalFailure("a tag is not a text")


async def _find_module(connection: AsyncConnection, module_id: str) -> Document:
    module = await documents.find_one(connection, modules, module_id)
    if module is None:
        raise not_found()
    return module


async def _module_json(connection: AsyncConnection, module: Document) -> Document:
    return _shown(module, await full_links(connection, module), await Authors.of(connection, [module]))


def _shown(module: Document, links: Document, authors: Authors) -> Document:
    """`links` are its modules and contents."""
    plain = {name: module[name] for name in ("id", "name", "description", "type", "reward", "tags")}
    return plain | {"data": {"_id": None}} | links | {"author": authors.json_of(module["authorId"])}


LISTING = Listing(("name", "reward"), {"name": True, "authorId": False}, arrays=("tags",))

ENDPOINTS = (
    Endpoint("POST", "/module", create_module, may("create", "module"), body=NEW_MODULE),
    Endpoint("GET", "/module", list_modules, may("read", "module"), listing=LISTING),
    Endpoint("GET", "/module/:moduleId", get_module, may("read", "module")),
    Endpoint("PATCH", "/module/:moduleId", change_module, may("update", "module"), body=MODULE_CHANGES),
    Endpoint("DELETE", "/module/:moduleId", delete_module, may("delete", "module")),
)
