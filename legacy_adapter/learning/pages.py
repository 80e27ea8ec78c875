"""A page of a collection, as Mongoose selects it."""

from collections.abc import Sequence

from extracted.learning.domain import ListQuery, ValueRefused
from legacy_adapter.documents.port import Document, DocumentQuery, DocumentRefused, DocumentStore


async def page(documents: DocumentStore, collection: str, query: ListQuery) -> Sequence[Document]:
    """Raises StoreUnavailable, and ValueRefused if the store does not take an expression."""
    any_of = {} if query.tags is None else {"tags": query.tags}
    wanted = DocumentQuery(query.equal, query.descending, query.offset, query.limit, query.matching, any_of)
    try:
        return await documents.find(collection, wanted)
    except DocumentRefused as refusal:
        raise ValueRefused(str(refusal)) from refusal
