"""The gateways of one cluster: what this one reports, and what it knows of the others (control plane §1, Members)."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from strangler_gateway.cluster.member import ClusterMember, decode
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.table.position import Position

log = logging.getLogger(__name__)

REFRESH_S = 10.0
"""A gateway that has nothing new to say says so this often; where there are more than ten, once a second in turn."""
REFRESH_S_EACH = 1.0
AWAY_S = 0.5
"""Before the next try, while the store is away."""
POLL_S = 0.02
"""Between two looks at the store while somebody waits for the others' reports."""
MAX_BYTES = 1 << 20


NAMESAKE_REFRESHES = 3
"""Another gateway with the same name is gone when it has not reported for so many times as long as it should."""


def namesake(name: str, admin: str) -> str:
    """Two gateways have one name."""
    return f"another gateway is called {name}, too, and runs at {admin}: give each its own STRANGLER_MEMBER"


class MemberStore(Protocol):
    """Where the members' keys are. Calls raise StoreAway."""

    @property
    def cluster(self) -> str | None:
        """The store's id, as it was read last."""
        ...

    @property
    def members(self) -> Mapping[str, ClusterMember]:
        """The keys, as they were read last."""
        ...

    @property
    def positions(self) -> Mapping[str, Position]:
        """Where records lead that the store has held lately, by their digest."""
        ...

    async def read_all(self) -> object:
        """Reads everything now."""
        ...

    async def report(self, member: ClusterMember, *, only_if_missing: bool = False) -> None:
        """Writes a key."""
        ...

    async def remove(self, name: str) -> None:
        """Deletes a key."""
        ...


class Members:
    """What the control plane asks of the other gateways. `me` has no admin URL until `begin`."""

    def __init__(
        self, store: MemberStore, me: ClusterMember, path: Path, wait_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`path`: the file in the state directory that keeps the members that were known.

        `wait_s`: so long the others' reports are waited for after a move; before one half as long.
        """
        self.me = me
        self._store, self._path, self._wait_s, self._clock = store, path, wait_s, clock
        self._wake = asyncio.Event()
        self._known: dict[str, ClusterMember] = {}
        self._cluster: str | None = None
        """The id of the store in which this gateway has reported last."""
        self._written = b""
        self._began = self._reported = 0.0
        self._namesake: tuple[str, float] | None = None
        """Another gateway that has reported under this one's name: its admin URL, and when that was seen last."""

    @property
    def others(self) -> list[ClusterMember]:
        """Every member but this one, by name; while the store is away, as it was known last."""
        return [self._known[name] for name in sorted(self._known) if name != self.me.name]

    @property
    def me_now(self) -> ClusterMember:
        """This gateway as it would report now."""
        return replace(self.me, at=self._clock())

    def served(self, one: ClusterMember, group: str) -> Position | None:
        """Where a member has reported to serve the group; None: nobody knows."""
        reported = (one.serves or {}).get(group)
        return self._store.positions.get(reported) if reported is not None else None

    def restore(self) -> None:
        """Reads the file. Blocks."""
        try:
            raw = json.loads(self._path.read_bytes()[:MAX_BYTES])
            self._known = {name: decode(name, text.encode()) for name, text in raw["members"].items()}
            self._cluster = raw["cluster"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as exc:
            log.warning("%s cannot be read (%s): the other gateways are known as soon as they report", self._path, exc)

    async def begin(self, admin: str) -> None:
        """From now on this gateway is a member, at this admin URL. Raises StoreAway: `run` goes on trying."""
        self.me, self._began, self._namesake = replace(self.me, admin=admin), self._clock(), None
        await self._write()

    @property
    def twofold(self) -> str | None:
        """A sentence, while another gateway reports under the same name: nobody can tell what each of them serves."""
        if self._namesake is None or self._clock() - self._namesake[1] > NAMESAKE_REFRESHES * self._refresh_s():
            return None
        return namesake(self.me.name, self._namesake[0])

    def changed(self) -> None:
        """What the store holds has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Reports now and then, and when the own key is gone; until it is cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._write()
                pause_s = self._refresh_s()
            except StoreAway:
                pause_s = AWAY_S
                self._wake.clear()
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def report(self, serves: Mapping[str, str]) -> None:
        """This gateway serves and has journalled these records, and the store holds the same: by group, the digest.

        Raises StoreAway.
        """
        self.me = replace(self.me, serves=dict(serves))
        if self.me.admin:
            try:
                await self._write()
            except StoreAway:
                self._wake.set()  # `run` does it, as soon as the store answers
                raise

    async def behind(self, group: str, record: str) -> Sequence[str]:
        """Of every gateway that does not report this digest now, a sentence that names it. Raises StoreAway."""
        late = self._sentences(group, await self._late(group, record, self._wait_s / 2))
        return [self.twofold, *late] if self.twofold else late

    async def until_reported(self, group: str, record: str) -> Sequence[str]:
        """Waits, bounded, until every gateway reports this digest; a sentence for each that does not.

        Raises StoreAway.
        """
        return self._sentences(group, await self._late(group, record, self._wait_s))

    def still(self, one: ClusterMember, group: str) -> str:
        """`gw3 still serves canary 10 % (seen 40 s ago)`."""
        where = self.served(one, group)
        what = f"still serves {where}" if where is not None else "has not reported what it serves"
        seen = f"seen {max(self._clock() - one.at, 0):.0f} s ago" if one.at else "not seen since this one has started"
        return f"{one.name} {what} ({seen})"

    async def leave(self) -> None:
        """At a graceful stop: nobody waits for this gateway any more. Raises StoreAway."""
        known = self._store.members.get(self.me.name)
        if known is None or known.run == self.me.run:
            await self._store.remove(self.me.name)

    async def forget(self, name: str) -> None:
        """Deletes the key of a gateway that has stopped for good. Raises StoreAway."""
        await self._store.remove(name)
        self._known.pop(name, None)
        await self._store.read_all()

    def _refresh_s(self) -> float:
        """Each report wakes all gateways, which read everything: a hundred of them get no more than one a second."""
        return max(REFRESH_S, REFRESH_S_EACH * len(self._store.members))

    async def _late(self, group: str, record: str, within_s: float) -> list[ClusterMember]:
        end = time.monotonic() + within_s
        while True:
            await self._store.read_all()
            late = [one for one in self._store.members.values() if not one.reports(group, record)]
            if not late or time.monotonic() >= end:
                return sorted(late, key=lambda one: one.name)
            await asyncio.sleep(POLL_S)

    def _sentences(self, group: str, late: Iterable[ClusterMember]) -> list[str]:
        return [
            f"{self.still(one, group)}: wait, or `strangler gateways forget {one.name}` if it is stopped"
            for one in late
        ]

    async def _write(self) -> None:
        """Writes this gateway's key if it has to; with it, if it is gone, every member that is known. Raises StoreAway.

        A key that is gone: the store was wiped, or somebody has forgotten a gateway that runs.
        """
        found, mine = self._store.members, self._store.members.get(self.me.name)
        now, is_due = self.me_now, self._clock() - self._reported > self._refresh_s() * 0.9
        if mine is not None and self._is_namesake(mine) and not is_due:
            return  # or both would write for ever
        if mine is None and self._cluster is not None:
            for one in self.others:
                if one.name not in found:
                    await self._store.report(one, only_if_missing=True)
        if mine is None or replace(mine, at=now.at) != now or now.at - mine.at > self._refresh_s() * 0.9:
            self._reported = now.at
            await self._store.report(now)
            await self._store.read_all()
        if self.me.name in self._store.members:
            self._known, self._cluster = dict(self._store.members), self._store.cluster
            await asyncio.to_thread(self._keep)

    def _is_namesake(self, mine: ClusterMember) -> bool:
        """Whether another process wrote the key since this one has begun; the one before this one wrote it earlier."""
        if mine.run == self.me.run or mine.at <= self._began:
            return False
        if self.twofold is None:
            log.error("%s", namesake(self.me.name, mine.admin))
        self._namesake = mine.admin, self._clock()
        return True

    def _keep(self) -> None:
        """So that a restart knows whose report is missing. Times change all the time and are not worth a write."""
        members = {name: replace(one, at=0.0, serves={}).encode().decode() for name, one in self._known.items()}
        text = json.dumps({"cluster": self._cluster, "members": members}).encode()
        if text != self._written:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                draft = self._path.with_suffix(".draft")
                draft.write_bytes(text)
                draft.replace(self._path)
                self._written = text
            except OSError as exc:
                log.warning("%s is not written: %s", self._path, exc)
