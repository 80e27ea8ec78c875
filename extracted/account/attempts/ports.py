"""What counting needs from outside. Everything raises StoreUnavailable."""

from collections.abc import Callable, Mapping
from typing import Protocol

from extracted.account.attempts.domain import AttemptLevel, AttemptScope

Keys = Mapping[AttemptScope, str]
Levels = Mapping[AttemptScope, AttemptLevel]


class AttemptStore(Protocol):
    """Where levels are stored, for all replicas."""

    async def change(self, keys: Keys, decide: Callable[[Levels], Levels]) -> None:
        """Stores what `decide` returns for the levels of these keys; meanwhile nobody else changes them.

        A key without a stored level has an empty one.
        """
        ...
