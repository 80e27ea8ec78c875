"""Where gateways share the records of their groups: the port, and the store of one gateway.

A gateway alone works as many do, on a store that nobody else writes (`EmbeddedStore`); what it keeps over a restart is
its journal. The Consul adapter is `consul_store.py`.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from strangler_gateway.cluster.record import GroupRecord


class StoreAway(Exception):
    """The store does not answer, or has not taken what was written; the message names it and since when."""


@dataclass(frozen=True, slots=True)
class StoreIndex:
    """Where a record stood when it was read. `cluster`: the store's id, so that no index outlives a wiped store."""

    cluster: str
    number: int = 0
    """0: the group is not in the store; a `cas` creates it."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it was read; an empty one where the store has none."""

    record: GroupRecord
    index: StoreIndex


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """All groups of the store as they were read at once."""

    cluster: str
    groups: Mapping[str, StoredRecord]

    def of(self, group: str) -> StoredRecord:
        """The record of a group; an empty one if the store has none."""
        return self.groups.get(group) or StoredRecord(GroupRecord(), StoreIndex(self.cluster))


class GroupStore(Protocol):
    """Every call is bounded in time and raises StoreAway while the store does not answer.

    A value in the store that is no record: `read` raises RecordInvalid; `read_all` and `watch` log it and leave it out.
    """

    @property
    def alone(self) -> bool:
        """Whether no other gateway can write it: what this gateway does not know, nobody has decided."""
        ...

    @property
    def away_since(self) -> float | None:
        """Unix seconds; None: the last call was answered."""
        ...

    async def read(self, group: str) -> StoredRecord:
        """The record as it is now (Consul: `?consistent`), the cluster's id included: a wiped store has a new one."""
        ...

    async def read_all(self) -> StoreSnapshot:
        """All records as they are now (consistent)."""
        ...

    async def cas(self, group: str, record: GroupRecord, index: StoreIndex, driver: str | None = None) -> bool:
        """Writes the record if the group still stands at this index; False: it does not, and nothing was written.

        `driver`: only if this session also still holds the lease `driver`, checked in the same transaction. StoreAway
        leaves open whether it was written: read again.
        """
        ...

    def watch(self) -> AsyncIterator[StoreSnapshot]:
        """All groups, at first and then whenever one has changed; goes on by itself when the store was away."""
        ...

    async def lease(self) -> str | None:
        """The session with which this gateway holds the lease `driver`, taken if it is free; None: another has it.

        Automatic moves need it. It says nothing about the next moment: pass it to `cas`.
        """
        ...


class EmbeddedStore:
    """The store of one gateway, in memory. It is never away."""

    alone = True
    away_since = None

    def __init__(self) -> None:
        self._cluster = secrets.token_hex(8)
        self._groups: dict[str, StoredRecord] = {}
        self._last = 0

    async def read(self, group: str) -> StoredRecord:
        """The record as it is now."""
        return self._snapshot().of(group)

    async def read_all(self) -> StoreSnapshot:
        """All records as they are now."""
        return self._snapshot()

    async def cas(self, group: str, record: GroupRecord, index: StoreIndex, driver: str | None = None) -> bool:
        """Writes the record if the group still stands at this index."""
        if self._snapshot().of(group).index != index:
            return False
        self._last += 1
        self._groups[group] = StoredRecord(record, StoreIndex(self._cluster, self._last))
        return True

    async def watch(self) -> AsyncIterator[StoreSnapshot]:
        """Nobody else changes it: the first look is the last."""
        yield self._snapshot()
        await asyncio.Event().wait()

    async def lease(self) -> str | None:
        """Nobody else wants it."""
        return self._cluster

    def _snapshot(self) -> StoreSnapshot:
        return StoreSnapshot(self._cluster, dict(self._groups))
