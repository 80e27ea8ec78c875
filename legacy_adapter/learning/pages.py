"""What all ports of Learning share: a page of a collection as Mongoose selects it, and what a store refuses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from extracted.learning.domain import ListQuery, ValueRefused
from legacy_adapter.documents.port import Document, DocumentQuery, DocumentRefused, DocumentStore


async def page(documents: DocumentStore, collection: str, query: ListQuery) -> Sequence[Document]:
    """Raises StoreUnavailable, and ValueRefused if the store does not take an expression."""
    any_of = {} if query.tags is None else {"tags": query.tags}
    wanted = DocumentQuery(query.equal, query.descending, query.offset, query.limit, query.matching, any_of)
    async with refusing():
        return await documents.find(collection, wanted)


@asynccontextmanager
async def refusing() -> AsyncIterator[None]:
    """Translates DocumentRefused to ValueRefused."""
    try:
        yield
    except DocumentRefused as refusal:
        raise ValueRefused(str(refusal)) from refusal
