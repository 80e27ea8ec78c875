"""What the routes of modules need from outside."""

from collections.abc import Sequence
from typing import Protocol

from extracted.learning.domain import ListQuery
from extracted.learning.modules.domain import Module


class ModuleStore(Protocol):
    """Modules. All methods raise StoreUnavailable."""

    async def select(self, query: ListQuery) -> Sequence[Module]:
        """One page; `modules` and `contents` hold public ids. Raises ValueRefused for a wrong expression."""
        ...
