"""The use cases."""

from dataclasses import dataclass

from examples.service.domain import Shelf
from examples.service.ports import Books


@dataclass(frozen=True, slots=True)
class Reading:
    """What readers do. With more rules, this is where they are applied."""

    books: Books

    async def shelf_of(self, reader: str) -> Shelf:
        """Raises StoreUnavailable."""
        return Shelf(reader, await self.books.titles_of(reader))
