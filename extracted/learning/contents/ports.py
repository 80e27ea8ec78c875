"""What the routes of contents need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from extracted.learning.contents.domain import Json, Tidied
from extracted.learning.domain import ListQuery


class ContentStore(Protocol):
    """Contents with their trees, as JSON. All methods raise StoreUnavailable, and ValueRefused for a value.

    A reader meets a tree before or after a change, never a part of it.
    """

    async def select(self, query: ListQuery) -> Sequence[Json]:
        """One page."""
        ...

    async def find(self, content_id: str) -> Json | None:
        """None: there is none."""
        ...

    async def add(self, new: Json) -> Json:
        """Adds a content with a tree whose nodes have no ids. A missing tree or an unknown type is ValueRefused."""
        ...

    async def replace(self, content_id: str, new: Json) -> Json:
        """Writes all fields. Nodes with an id are changed, others are added, those that `new` does not name go.

        Raises NotFound, TreeRefused, and Unexpected if the present tree is gone.
        """
        ...

    async def remove(self, content_id: str) -> Json:
        """Returns what was removed, with the fields of the store. Raises NotFound, and Unexpected as `replace`."""
        ...


class TreeCare(Protocol):
    """Repairs what a crash has left of changes."""

    async def tidy(self, before: datetime, *, remove: bool) -> Tidied:
        """Nodes that were made before that time and that no content reaches are removed, missing ones restored.

        Without `remove` it only tells. Raises StoreUnavailable.
        """
        ...
