"""What the routes of modules need from outside."""

from collections.abc import Sequence
from typing import Protocol

from extracted.learning.domain import ListQuery
from extracted.learning.modules.domain import Fields, Module


class ModuleStore(Protocol):
    """Modules. All methods raise StoreUnavailable, and ValueRefused for a value.

    References to what is gone are not shown. A whole module has whole contents, and its modules as they are stored.
    """

    async def select(self, query: ListQuery) -> Sequence[Module]:
        """One page; modules and contents by their public ids."""
        ...

    async def find(self, module_id: str) -> Module | None:
        """The whole module; None: there is none."""
        ...

    async def add(self, author_id: str, fields: Fields) -> Module:
        """Modules and contents by the store's own ids (corrections C5).

        Raises NotFound for an unknown module, Unexpected for an unknown content.
        """
        ...

    async def change(self, module_id: str, fields: Fields) -> Module:
        """The whole module. Without `modules` it has none afterwards. Raises NotFound, and Unexpected as `add`.

        Also Unexpected if `contents` are missing (fault F17).
        """
        ...

    async def remove(self, module_id: str) -> None:
        """Does nothing if there is none."""
        ...
