"""The port for the monolith's documents."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bson import ObjectId

Document = Mapping[str, Any]
"""JSON, with an ObjectId for a reference to a document."""


class DocumentRefused(Exception):
    """The store does not take a value or an expression."""


def new_document(fields: Document) -> Document:
    """A document as Mongoose makes it: a new `_id` before `fields` (which contain `id`), `__v` 0 after them."""
    return {"_id": ObjectId(), **fields, "__v": 0}


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
    """Collections of documents. Their public id is the field `id`.

    All methods raise StoreUnavailable, and DocumentRefused for a value that the store does not take. Nothing spans two
    calls; a call on several documents may end after some of them. In BSON, whole numbers beyond 32 bits are doubles, as
    in JavaScript.
    """

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """None: there is none."""
        ...

    async def find_all(self, collection: str, public_ids: Collection[str]) -> Mapping[str, Document]:
        """Those that exist, in one query."""
        ...

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Without an order, in the order of insertion."""
        ...

    async def find_by_object_id(self, collection: str, object_ids: Collection[ObjectId]) -> Mapping[ObjectId, Document]:
        """Those that exist, in one query."""
        ...

    async def after(self, collection: str, object_id: ObjectId | None, limit: int) -> Sequence[Document]:
        """The next ones in the order of `_id`; None: the first ones."""
        ...

    async def add(self, collection: str, fields: Document) -> Document:
        """Adds and returns `new_document(fields)`."""
        ...

    async def insert(self, collection: str, documents: Sequence[Document]) -> None:
        """Adds whole documents, one after another."""
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

    async def set_each(self, collection: str, changes: Sequence[tuple[str, Document]]) -> None:
        """A `$set` per public id, one after another; ignores ids that name no document."""
        ...

    async def remove(self, collection: str, public_id: str) -> bool:
        """False: there is none."""
        ...

    async def remove_all(self, collection: str, public_ids: Collection[str]) -> None:
        """Ignores ids that name no document."""
        ...
