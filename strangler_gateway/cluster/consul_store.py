"""The store that several gateways share: Consul's keys and values (control plane §1). The keys, below a prefix:

`cluster` = {"id"}: made once; a wiped store gets a new one, and all else lies below it, so that no index outlives it.
`ID/groups/G`: the record of a group. `ID/members/NAME`: a gateway. `ID/driver`: locked by who makes automatic moves.
"""

import asyncio
import json
import logging
import math
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from chassis.consul.client import Consul
from chassis.consul.values import ConsulFailed, KeyValue, Operation, next_index
from strangler_gateway.cluster import member as members
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.record import GroupRecord, position
from strangler_gateway.cluster.record_json import RecordInvalid, decode, digest, encode
from strangler_gateway.cluster.store import StoreAway, StoredRecord, StoreIndex, StoreSnapshot
from strangler_gateway.table.position import Position

log = logging.getLogger(__name__)

K = TypeVar("K")
T = TypeVar("T")
V = TypeVar("V")

WAIT_S = 10.0
"""Of a blocking read. A network that swallows packets is noticed after it."""
BACK_OFF_S = (0.1, 2.0)
"""Before the next try: at first, at most."""
PACE_S_EACH, PACE_S = 0.002, 0.25
"""Between two reads of the watch, for each gateway, and at most: after a move all of them report."""
_COLON = "=3A"
"""In the key of a gateway whose name has a port: Consul 1.21.5 takes no colon in a key, and no name has a `=`."""
MAX_KEPT = 10_000
"""Records that need not be read again, and positions of records."""


class ConsulStore:
    """`prefix`: without slashes at its ends; several clusters may use one Consul under different ones."""

    alone = False

    def __init__(
        self, consul: Consul, prefix: str, name: str, session_ttl_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        """`name`: how this gateway is called; `clock` tells Unix seconds."""
        self.away_since: float | None = None
        """Unix seconds; None: the last call was answered."""
        self.members: dict[str, ClusterMember] = {}
        """As they were read last."""
        self.cluster: str | None = None
        """The id, as it was read last."""
        self.heard: Callable[[], None] = lambda: None
        """Called when the members have changed."""
        self.driver: str | None = None
        """Who holds the lease, as it was read last."""
        self.positions: dict[str, Position] = {}
        """Where the latest records lead, by digest."""
        self._decoded: dict[tuple[str, int], StoredRecord] = {}
        self.address, self.prefix = consul.address, prefix
        self._consul, self._root, self._name = consul, f"{prefix}/", name
        self._ttl_s, self._clock = session_ttl_s, clock
        self._session: str | None = None
        self._renewed = 0.0

    async def read(self, group: str) -> StoredRecord:
        """The record as it is now. Raises StoreAway, RecordInvalid."""
        cluster, found = await self._tree()
        one = found.get(f"groups/{group}")
        return StoredRecord(GroupRecord(), StoreIndex(cluster)) if one is None else self._stored(cluster, one)

    async def read_all(self) -> StoreSnapshot:
        """All records as they are now. Raises StoreAway."""
        return self._snapshot(*await self._tree())

    async def cas(self, group: str, record: GroupRecord, index: StoreIndex, driver: str | None = None) -> bool:
        """Writes the record if the group still stands at this index. Raises StoreAway."""
        below = f"{self._root}{index.cluster}/"
        key = f"{below}groups/{group}"
        operations = [Operation("check-session", f"{below}driver", session=driver)] if driver else []
        operations.append(Operation("get", f"{self._root}cluster"))
        operations.append(Operation("cas", key, encode(record), index.number))
        done = await self._asked(self._consul.transact(operations))
        if not done.done:
            return False
        if not any(one.key == f"{self._root}cluster" and _id(one) == index.cluster for one in done.keys):
            await self._asked(self._consul.delete(key))  # the store was wiped meanwhile: nobody reads this path
            return False
        return True

    async def watch(self) -> AsyncIterator[StoreSnapshot]:
        """All groups, at first and then whenever anything below the prefix has changed."""
        index: int | None = None
        pause_s = BACK_OFF_S[0]
        while True:
            try:
                cluster, found, seen = await self._read(index)
            except StoreAway:
                index = None
                await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  # jitter
                pause_s = min(pause_s * 2, BACK_OFF_S[1])
                continue
            if seen < 1:
                await asyncio.sleep(BACK_OFF_S[0])  # nothing to wait behind
            pause_s, before, index = BACK_OFF_S[0], index, next_index(index, seen)
            if before is None or before != index:
                yield self._snapshot(cluster, found)
                await asyncio.sleep(min(PACE_S, PACE_S_EACH * len(self.members)))

    async def lease(self) -> str | None:
        """Takes the lease or keeps it; renews its session. Raises StoreAway."""
        try:
            if self._session is None or not await self._renew(self._session):
                self._session = await self._asked(self._consul.create_session(f"strangler {self._name}", self._ttl_s))
                self._renewed = time.monotonic()
            key = f"{self._root}{await self._known_id()}/driver"
            held = await self._asked(self._consul.put(key, self._name.encode(), acquire=self._session))
        except StoreAway:
            self._renewed = -math.inf  # it may have ended: the next time tells
            raise
        return self._session if held else None

    async def report(self, member: ClusterMember, *, only_if_missing: bool = False) -> None:
        """Writes the key of a member. Raises StoreAway."""
        key = await self._key_of(member.name)
        if only_if_missing:
            await self._asked(self._consul.cas(key, member.encode(), 0))
        else:
            await self._asked(self._consul.put(key, member.encode()))

    async def remove(self, name: str) -> None:
        """Deletes the key of a member. Raises StoreAway."""
        await self._asked(self._consul.delete(await self._key_of(name)))

    async def aclose(self) -> None:
        """Gives the lease back and ends the threads."""
        if self._session is not None:
            with_session, self._session = self._session, None
            try:
                await self._asked(self._consul.destroy_session(with_session))
            except StoreAway as exc:
                log.warning("the lease ends by itself: %s", exc)
        self._consul.close()

    async def _renew(self, session: str) -> bool:
        """False: it has ended. Not more often than needed."""
        if time.monotonic() - self._renewed < self._ttl_s / 3:
            return True
        self._renewed = time.monotonic()
        return await self._asked(self._consul.renew_session(session))

    async def _known_id(self) -> str:
        if self.cluster is None:
            await self._tree()
        assert self.cluster is not None  # it was read
        return self.cluster

    async def _key_of(self, name: str) -> str:
        return f"{self._root}{await self._known_id()}/members/{name.replace(':', _COLON)}"

    async def _tree(self) -> tuple[str, dict[str, KeyValue]]:
        cluster, found, _ = await self._read(None)
        return cluster, found

    async def _read(self, index: int | None) -> tuple[str, dict[str, KeyValue], int]:
        """The id, the keys below it, and the index to wait behind."""
        found = await self._asked(self._consul.tree(self._root, index=index, wait_s=WAIT_S if index else 0))
        keys = {one.key.removeprefix(self._root): one for one in found.value}
        while "cluster" not in keys or _id(keys["cluster"]) is None:
            await self._create(keys.get("cluster"))
            found = await self._asked(self._consul.tree(self._root))
            keys = {one.key.removeprefix(self._root): one for one in found.value}
        cluster = str(_id(keys["cluster"]))
        below = {key.removeprefix(f"{cluster}/"): one for key, one in keys.items() if key.startswith(f"{cluster}/")}
        if self.cluster not in (None, cluster):
            log.warning("the store has another id than before: it was wiped; this gateway writes what it knows again")
        self.cluster = cluster
        self._note(below)
        return cluster, below, found.index

    def _note(self, below: dict[str, KeyValue]) -> None:
        driver = below.get("driver")
        self.driver = driver.value.decode(errors="replace") if driver is not None and driver.session else None
        keys = {
            key.removeprefix("members/").replace(_COLON, ":"): one
            for key, one in below.items()
            if key.startswith("members/")
        }
        found = {name: members.decode(name, one.value) for name, one in keys.items()}
        if found != self.members:
            self.members = found
            self.heard()

    def _snapshot(self, cluster: str, found: dict[str, KeyValue]) -> StoreSnapshot:
        groups: dict[str, StoredRecord] = {}
        for key, one in found.items():
            if key.startswith("groups/"):
                try:
                    groups[key.removeprefix("groups/")] = self._stored(cluster, one)
                except RecordInvalid as exc:
                    log.error("%s in the store is no record and is left out: %s", one.key, exc)
        return StoreSnapshot(cluster, groups)

    def _stored(self, cluster: str, one: KeyValue) -> StoredRecord:
        """Decoded once: the same key with the same index has the same value. Raises RecordInvalid."""
        key = one.key, one.modify_index
        known = self._decoded.get(key)
        if known is None:
            known = StoredRecord(decode(one.value), StoreIndex(cluster, one.modify_index))
            _bounded(self._decoded)[key] = known
            _bounded(self.positions)[digest(known.record)] = position(known.record)
        return known

    async def _create(self, odd: KeyValue | None) -> None:
        """An id; another gateway may be faster."""
        value = json.dumps({"id": secrets.token_hex(8)}).encode()
        await self._asked(self._consul.cas(f"{self._root}cluster", value, odd.modify_index if odd else 0))

    async def _asked(self, call: Awaitable[T]) -> T:
        """Raises StoreAway, and notes since when."""
        try:
            answer = await call
        except ConsulFailed as exc:
            if self.away_since is None:
                self.away_since = self._clock()
                log.warning("the store is away: %s", exc)
            raise StoreAway(str(exc)) from exc
        if self.away_since is not None:
            self.away_since = None
            log.info("the store answers again")
        return answer


def _id(one: KeyValue) -> str | None:
    """None: it cannot be read."""
    try:
        found = json.loads(one.value)["id"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return found if isinstance(found, str) and found.isalnum() else None


def _bounded(kept: dict[K, V]) -> dict[K, V]:
    """Without the oldest where it has become long."""
    if len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    return kept
