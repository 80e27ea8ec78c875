"""The port for the monolith's documents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bson import ObjectId

Document = Mapping[str, Any]
"""JSON, with an ObjectId for a reference to a document."""


class DocumentRefused(Exception):
    """The store does not take a value or an expression."""


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """`equals`: field → texts, one of which it must be. `descending`: field → direction, in sort order.

    `matching`: field → regular expression that occurs in its text. `any_of`: list field → texts, one of which it holds.
    """

    equals: Mapping[str, Collection[str]] = field(default_factory=dict)
    descending: Mapping[str, bool] = field(default_factory=dict)
    skip: int = 0
    limit: int = 100
    matching: Mapping[str, str] = field(default_factory=dict)
    any_of: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentCondition:
    """When to write: `missing` fields do not exist or are null; `texts`: path with dots → the text that it holds."""

    missing: Collection[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


ALWAYS: Final = DocumentCondition()


class DocumentStore(Protocol):
    """Collections of documents. Their public id is the field `id`."""

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """Raises StoreUnavailable."""
        ...

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Without an order, in the order of insertion. Raises StoreUnavailable, DocumentRefused."""
        ...

    async def find_by_object_id(self, collection: str, object_ids: Collection[ObjectId]) -> Mapping[ObjectId, Document]:
        """Those that exist, in one query. Raises StoreUnavailable."""
        ...

    async def add(self, collection: str, fields: Document) -> Document:
        """Adds the document as Mongoose does: a new `_id` before `fields` (which contain `id`), `__v` 0 after them.

        In BSON, whole numbers beyond 32 bits are doubles, as in JavaScript. Raises StoreUnavailable.
        """
        ...

    async def add_once(self, collection: str, object_id: ObjectId, fields: Document) -> Document:
        """As `add`, with this `_id`. If a document has it already, nothing is written, and that one is returned."""
        ...

    async def set_fields(
        self, collection: str, public_id: str, fields: Document, condition: DocumentCondition = ALWAYS
    ) -> Document | None:
        """One `$set` of whole fields; all others stay. If there are no fields, nothing is written.

        Returns the document afterwards; None: there is none that meets the condition. Raises StoreUnavailable.
        """
        ...

    async def remove(self, collection: str, public_id: str) -> bool:
        """False: there is none. Raises StoreUnavailable."""
        ...
