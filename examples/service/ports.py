"""What the use cases need from outside."""

from collections.abc import Sequence
from typing import Protocol


class Books(Protocol):
    """The store of books."""

    async def titles_of(self, reader: str) -> Sequence[str]:
        """In the order in which they were added. Raises StoreUnavailable."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable while the store cannot be read."""
        ...
