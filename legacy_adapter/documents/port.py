"""The port for the monolith's documents: what both stores do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """`equals`: field → the texts of which it has to be one. `descending`: number field → direction, in sort order."""

    equals: Mapping[str, Collection[str]] = field(default_factory=dict)
    descending: Mapping[str, bool] = field(default_factory=dict)
    skip: int = 0
    limit: int = 100


class DocumentStore(Protocol):
    """Collections of documents; their public id is the field `id`."""

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """Raises StoreUnavailable."""
        ...

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Without an order: in the order in which they were added. Raises StoreUnavailable."""
        ...

    async def add(self, collection: str, fields: Document) -> Document:
        """`fields` with their public `id`, as a document of Mongoose's: a new `_id` before them, `__v` 0 behind.

        In BSON, whole numbers beyond 32 bits are doubles, as in JavaScript. Raises StoreUnavailable.
        """
        ...

    async def set_fields(self, collection: str, public_id: str, fields: Document) -> Document | None:
        """One `$set` of whole fields; `_id`, `__v` and all others stay as they are. No fields: nothing is written.

        The document as it is then; None where there is none. Raises StoreUnavailable.
        """
        ...

    async def remove(self, collection: str, public_id: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        ...
