"""A bounded cache: each entry expires at its own time, and a full cache drops its oldest entry."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `size` entries. The caller passes the time, in seconds of any one clock."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[K, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now: float) -> V | None:
        """The value, or None if it was never put or has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] > now:
            return entry[0]
        del self._entries[key]
        return None

    def put(self, key: K, value: V, until: float) -> None:
        """Keeps the value until the given time."""
        entries = self._entries
        entries.pop(key, None)
        if len(entries) >= self._size:
            del entries[next(iter(entries))]
        entries[key] = (value, until)

    def drop(self, key: K) -> None:
        """Removes the value, if there is one."""
        self._entries.pop(key, None)
