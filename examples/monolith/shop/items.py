"""Contract section 5: items."""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import may
from examples.monolith.http.errors import not_found
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response, empty_response
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage import documents
from examples.monolith.storage.documents import Document
from examples.monolith.storage.tables import items
from examples.monolith.validation.shapes import (
    IS_NUMBER,
    IS_STRING,
    Shape,
    at_least,
    nested,
    one_of,
    optional,
    required,
)

TYPES = ("hint", "validator")
HINT: Shape = {"text": required(IS_STRING)}
NEW_ITEM: Shape = {
    "cost": required(IS_NUMBER, at_least(0)),
    "type": required(one_of(*TYPES)),
    "data": nested(HINT),
}
ITEM_CHANGES: Shape = {
    "cost": optional(IS_NUMBER, at_least(0)),
    "type": optional(one_of(*TYPES)),
    "data": nested(HINT, optional=True),
}


async def create_item(request: CheckedRequest) -> ResponseContent:
    new = {name: request.body[name] for name in NEW_ITEM} | {"id": str(uuid.uuid4())}
    async with request.monolith.database.write() as connection:
        item = await documents.add(connection, items, request.monolith.object_ids.next(), new)
    return data_response(item_json(item), 201)


async def list_items(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        found = await documents.find_page(connection, items, request.page)
    return data_response([item_json(item) for item in found], metadata=request.page.metadata(len(found)))


async def get_item(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        return data_response(item_json(await find_item(connection, request.params["id"])))


async def change_item(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.write() as connection:
        item = await documents.set_fields(connection, items, request.params["id"], request.body)
    if item is None:
        raise not_found()
    return data_response(item_json(item))


async def delete_item(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.write() as connection:
        if not await documents.remove(connection, items, request.params["id"]):
            raise not_found()
    return empty_response(200)


async def find_item(connection: AsyncConnection, item_id: str) -> Document:
    item = await documents.find_one(connection, items, item_id)
    if item is None:
        raise not_found()
    return item


def item_json(item: Document) -> dict[str, Any]:
    return {name: item.get(name) for name in ("id", "cost", "type", "data")}


ENDPOINTS = (
    Endpoint("POST", "/item", create_item, may("create", "item"), body=NEW_ITEM),
    Endpoint("GET", "/item", list_items, may("read", "item"), listing=Listing(("cost",), {"type": False})),
    Endpoint("GET", "/item/:id", get_item, may("read", "item")),
    Endpoint("PATCH", "/item/:id", change_item, may("update", "item"), body=ITEM_CHANGES),
    Endpoint("DELETE", "/item/:id", delete_item, may("delete", "item")),
)
