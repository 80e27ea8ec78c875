"""A dictionary that forgets: each entry at its own time, and the oldest one when it is full."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """At most `size` entries; the caller tells the time (seconds of any one clock)."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[K, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now: float) -> V | None:
        """The value, or None when it was never put or its time is over."""
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
        """Forgets the value, if there is one."""
        self._entries.pop(key, None)
