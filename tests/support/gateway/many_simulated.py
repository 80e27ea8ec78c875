"""Several gateways and their store in one thread, one group, every await a step that somebody chooses.

The protocol is the product's (`Replica`, `cluster/record.py`); journal, store and network are simulated. A design is a
set of names of protections that are taken away: each gives back the counterexample that it is there for
(docs/decisions/many-gateways.md). What really happened is kept beside the records (ids of rollbacks in `files`, ids of
decisions in `why`), so that the checks do not believe the records.
"""

from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from strangler_gateway.cluster import record as records
from strangler_gateway.cluster.record import GroupRecord, Hold, RollbackName, decide, held, holds, merge, release
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.cluster.store import StoreAway, StoredRecord, StoreIndex, StoreSnapshot
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent
from strangler_gateway.migration.replica import NotAgreed, Replica
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState

CANARY, EXTRACTED = Position(MigrationState.CANARY, 1000), Position(MigrationState.EXTRACTED)
WAY = (LEGACY, CANARY, EXTRACTED)
GROUP = "g"
SKEW_S = 3.0
WAITS = 12
"""How often a flip looks whether all report it."""
REFUSED = (StoreAway, NotAgreed)


class Violated(AssertionError):
    """A property does not hold; the message names it."""


class _Step:
    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class Decided:
    """What really happened: when, what the decision knew, and of which decision it was made."""

    at: float
    to: Position
    knew: frozenset[str]


@dataclass
class SharedStore:
    """The store's content, with backups. A wiped one has a new id and counts from 1 again."""

    cluster: str = "c1"
    content: StoredRecord | None = None
    members: dict[str, str] = field(default_factory=dict)
    last: int = 0
    epoch: int = 0
    """Counts wipes and restores."""
    kept: frozenset[str] = frozenset()
    """Ids of rollbacks that were written into it."""
    backup: "SharedStore | None" = None

    def read(self) -> StoredRecord:
        return self.content or StoredRecord(GroupRecord(), StoreIndex(self.cluster))

    def write(self, record: GroupRecord) -> None:
        self.last += 1
        self.content = StoredRecord(record, StoreIndex(self.cluster, self.last))
        self.kept |= record.files


@dataclass
class Machine:
    """What outlives the process of a gateway."""

    name: str
    disk: GroupRecord | None = None
    broken: bool = False
    """The journal cannot be written."""
    cut: bool = False
    skew: float = 0.0
    starts: int = 0
    kept: set[str] = field(default_factory=set)
    """Ids of rollbacks made here that are on the disk."""
    process: "Process | None" = None


class Process:
    """One gateway from start to crash: what the product's replica needs of it."""

    def __init__(self, world: "World", machine: Machine) -> None:
        self.world, self.machine = world, machine
        self.memory = machine.disk or GroupRecord()
        self.known = machine.disk is not None
        self.owed: list[GroupRecord] = []
        self.serving = False
        self.busy = False
        """The turn is taken."""
        self.made: set[str] = set(machine.kept)
        self.written_in = 0
        """The store's epoch at the last write."""
        run = machine.name if "run" in world.without else f"{machine.name}{machine.starts}"
        self.replica = Replica(self, self, self, run)
        if "journal before report" in world.without:
            self.replica._is_settled = self._is_settled_early  # type: ignore[method-assign]
        if "re-assertion" in world.without:
            self.replica._reassert = self._not_reasserted  # type: ignore[method-assign]

    @property
    def position(self) -> Position:
        return self.world.position(self.memory)

    @property
    def now(self) -> float:
        return self.world.now + self.machine.skew

    # The store, over a network that can be cut before and after the store acts.

    alone = False
    away_since = None

    async def read(self, group: str) -> StoredRecord:
        await self._reach()
        found = self.world.store.read()
        await self._reach()
        return found

    async def read_all(self) -> StoreSnapshot:
        found = await self.read(GROUP)
        return StoreSnapshot(found.index.cluster, {GROUP: found})

    async def cas(self, group: str, record: GroupRecord, index: StoreIndex, driver: str | None = None) -> bool:
        await self._reach()
        now = self.world.store.read().index
        same = now.number == index.number if "id in the path" in self.world.without else now == index
        done = same or "cas" in self.world.without
        if done:
            self.world.store.write(record)
            self.written_in = self.world.store.epoch
        await self._reach()
        return done

    async def lease(self) -> str | None:
        raise NotImplementedError

    def watch(self) -> Any:
        raise NotImplementedError

    async def _reach(self) -> None:
        await _Step()
        if self.machine.cut:
            raise StoreAway("the store does not answer")

    # The other gateways.

    async def report(self, serves: Mapping[str, str]) -> None:
        await self._reach()
        self.world.store.members[self.machine.name] = serves[GROUP]

    async def behind(self, group: str, record: str) -> Sequence[str]:
        await self._reach()
        if "members are asked" in self.world.without:
            return ()
        reports = self.world.store.members
        return [name for name in sorted(self.world.known) if reports.get(name) != record]

    async def until_reported(self, group: str, record: str) -> Sequence[str]:
        late: Sequence[str] = ()
        for _ in range(WAITS):
            late = await self.behind(group, record)
            if not late:
                break
        return late

    # What is known, kept and served here.

    def record(self, group: str) -> GroupRecord:
        return self.memory

    def knows(self, group: str) -> bool:
        return self.known

    def is_ahead(self, group: str, record: GroupRecord) -> bool:
        return self.world.position(record).rank > self.position.rank

    def journalled(self, group: str) -> GroupRecord:
        return self.machine.disk or GroupRecord()

    def told(self, group: str, record: GroupRecord) -> JournalEntry:
        return JournalEntry(self.now, JournalEvent.RECORD, GROUP, "", "", LEGACY, LEGACY, record=record)

    def serve(self, entries: Sequence[JournalEntry], *, owed: bool) -> bool:
        for entry in entries:
            assert entry.record is not None
            before = self.memory
            self.memory, self.known = merge(self.memory, entry.record), True
            if owed:
                self.owed.append(entry.record)
            self.world.moved(self, before)
        return True

    async def is_served(self) -> bool:
        return True

    async def write(self, entries: Sequence[JournalEntry] = ()) -> str | None:
        made, owed = set(self.made), len(self.owed)
        lines = [*self.owed, *(entry.record for entry in entries if entry.record is not None)]
        await _Step()
        if self.machine.broken:
            return "the disk is full"
        disk = self.machine.disk or GroupRecord()
        for line in lines:
            disk = merge(disk, line)
        self.machine.disk = disk
        self.machine.kept |= {one for one in made if one in disk.files}
        del self.owed[:owed]
        await _Step()
        return None

    def _is_settled_early(self, group: str) -> bool:
        return self.replica._stored.get(group) == self.memory

    async def _not_reasserted(self, group: str, found: StoredRecord) -> None:
        return None


@dataclass
class Task:
    machine: Machine
    process: Process
    coroutine: Coroutine[Any, Any, Any]
    turn: bool
    result: Any = None
    done: bool = False


class World:
    """`without`: protections that this design does not have."""

    def __init__(self, names: Iterable[str] = ("a", "b"), without: Set[str] = frozenset()) -> None:
        self.without = without
        self.store = SharedStore()
        self.machines = {name: Machine(name) for name in names}
        self.known = set(self.machines)
        """Gateways that nobody has forgotten."""
        self.now = 1_000.0
        self.tasks: list[Task] = []
        self.rollbacks = 0
        self.released: set[str] = set()
        """Ids of rollbacks that somebody who saw them has released, or has tried to."""
        self.decisions: dict[str, Decided] = {}
        self.won: dict[tuple[int, str], str] = {}
        """By epoch of the store and the record that it followed: the flip that was done."""
        self.acknowledged = 0
        """Flips that all known gateways reported."""
        for name in self.machines:
            self.do(self.start(name))

    def position(self, record: GroupRecord) -> Position:
        if "knows" in self.without:
            return LEGACY if held(record) else record.decision.position
        return records.position(record)

    # Steps.

    def begin(self, machine: Machine, process: Process, work: Coroutine[Any, Any, Any], turn: bool = False) -> Task:
        process.busy |= turn
        task = Task(machine, process, work, turn)
        self.tasks.append(task)
        return task

    def step(self, task: Task) -> None:
        """Until its next await. Whatever the product may refuse is a result."""
        try:
            task.coroutine.send(None)
            return
        except StopIteration as end:
            task.result = end.value
        except REFUSED as exc:
            task.result = exc
        task.done = True
        self.tasks.remove(task)
        if task.turn:
            task.process.busy = False

    def do(self, task: Task | None) -> Any:
        """All of a task at once."""
        while task is not None and not task.done:
            self.step(task)
            self.check()
        return task.result if task else None

    def drain(self) -> None:
        while self.tasks:
            self.step(self.tasks[0])
            self.check()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *exc: object) -> None:
        self._end(list(self.tasks))

    def _end(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            task.coroutine.close()
            task.done = True
            self.tasks.remove(task)

    # What people and machines do.

    def _turn(self, name: str, work: Callable[[Process], Coroutine[Any, Any, Any]]) -> Task | None:
        """Of a gateway that serves and does nothing else that needs the turn."""
        self.now += 1
        machine = self.machines[name]
        process = machine.process
        if process is None or not process.serving or process.busy:
            return None
        return self.begin(machine, process, work(process), turn=True)

    def start(self, name: str) -> Task | None:
        self.now += 1
        machine = self.machines[name]
        if machine.process is not None:
            return None
        machine.starts += 1
        self.known.add(name)
        process = machine.process = Process(self, machine)
        return self.begin(machine, process, self._started(process), turn=True)

    async def _started(self, process: Process) -> None:
        try:
            found = await process.read(GROUP)
            if "join at restart" in self.without:
                process.memory = found.record
            await process.replica.take({GROUP: found})
        except StoreAway:
            pass  # the journal serves, unconfirmed
        process.serving = True

    def crash(self, name: str) -> None:
        machine = self.machines[name]
        self._end([task for task in self.tasks if task.machine is machine])
        machine.process = None

    def lose_disk(self, name: str) -> None:
        self.crash(name)
        self.machines[name].disk = None
        self.machines[name].kept.clear()

    def forget(self, name: str) -> None:
        """`strangler gateways forget`, of one that is stopped."""
        if self.machines[name].process is None:
            self.known.discard(name)
            self.store.members.pop(name, None)

    def wipe(self) -> None:
        store = self.store
        store.epoch += 1
        store.cluster, store.content, store.members, store.last = f"c{store.epoch + 1}", None, {}, 0
        store.kept = frozenset()

    def back_up(self) -> None:
        self.store.backup = replace(self.store, members=dict(self.store.members))

    def restore(self) -> None:
        """The next write goes on above the highest index."""
        store, old = self.store, self.store.backup
        if old is not None:
            store.epoch += 1
            store.cluster, store.content, store.kept = old.cluster, old.content, old.kept
            store.members = dict(old.members)

    def follow(self, name: str) -> Task | None:
        async def follows(process: Process) -> None:
            found = await process.read(GROUP)
            process.replica.fall_back({GROUP: found.record})
            await process.replica.settle({GROUP: found})

        return self._turn(name, follows)

    def flip(self, name: str, to: Position) -> Task | None:
        return self._turn(name, lambda process: self._flip(process, to))

    async def _flip(self, process: Process, to: Position) -> bool:
        """As the controller does it; True: done, and all known gateways report it."""
        replica = process.replica
        found = await replica.agreed(GROUP)
        here = self.position(found.record)
        forward = to.rank > here.rank
        if to == here or held(found.record) or (forward and WAY.index(to) > WAY.index(here) + 1):
            return False
        if forward and (await process.write() or await replica.behind(GROUP)):
            return False
        name = f"d{len(self.decisions)}"
        now = 0.0 if "time in seq" in self.without else process.now
        made = decide(found.record, to, now, why=name)
        self.decisions[name] = Decided(self.now, to, frozenset(made.files))
        self._ahead_of_nobody(found.record, made, forward)
        if not await replica.decide(found, replace(process.told(GROUP, made), record=made)):
            return False
        key = (process.written_in, f"{found.record.decision.why} {sorted(found.record.files)}")
        if self.won.setdefault(key, name) != name:
            raise Violated(f"S5: {name} and {self.won[key]} were both done")
        entry = process.told(GROUP, made)
        if await process.write([entry]):
            return False
        process.serve([entry], owed=False)
        await replica.report()
        if await replica.until_reported(GROUP):
            return False
        self._acknowledged(name, made)
        return True

    def roll_back(self, name: str, passed_on: RollbackName | None = None) -> list[Task]:
        """Served at once; the journal and the store are written in parallel."""
        self.now += 1
        machine = self.machines[name]
        process = machine.process
        if process is None or not process.serving:
            return []
        self.rollbacks += 1
        made = f"r{self.rollbacks}"
        called = passed_on or self._minted(process)
        rolled_back = records.rollback(process.memory, called, Hold(process.now, made))
        process.made.add(made)
        process.serve(
            [process.told(GROUP, replace(rolled_back, files=rolled_back.files | {made}))],
            owed=True,
        )
        return [
            self.begin(machine, process, process.write()),
            self.begin(machine, process, process.replica.put_back([GROUP])),
        ]

    def _minted(self, process: Process) -> RollbackName:
        if "a key per run" in self.without:
            return RollbackName("all", max(process.memory.rolled_back.values(), default=0) + 1)
        return records.mint(process.memory, process.replica.run)

    def release(self, name: str) -> Task | None:
        """The operator names what this gateway shows now."""
        process = self.machines[name].process
        if process is None:
            return None
        seen, ids = holds(process.memory), set(process.memory.files)

        async def released(process: Process) -> bool:
            self.released.update(ids)
            for _ in range(3):
                found = await process.replica.agreed(GROUP)
                names = holds(found.record) if "names" in self.without else seen
                entry = process.told(GROUP, release(found.record, names))
                if await process.replica.decide(found, entry):
                    process.serve([entry], owed=True)
                    await process.write()
                    await process.replica.report()
                    return True
            return False

        return self._turn(name, released)

    # What has to hold.

    def check(self) -> None:
        """After every step."""
        for machine in self.machines.values():
            process = machine.process
            if process is None or not process.serving or process.position == LEGACY:
                continue
            for made in process.made - self.released:
                raise Violated(f"S1: {machine.name} rolled back ({made}) and serves {process.position}")
            decided = self.decisions.get(process.memory.decision.why)
            if decided is None:
                raise Violated(f"S6: nobody decided what {machine.name} serves")
            unknown = {one for one in process.memory.files if one not in decided.knew}
            if unknown:
                raise Violated(f"S2: {machine.name} serves a flip that did not know of {sorted(unknown)}")

    def moved(self, process: Process, before: GroupRecord) -> None:
        """Forward only to what was decided later, beyond the skew of clocks."""
        if not process.serving or process.position.rank <= self.position(before).rank:
            return
        old, new = (self.decisions.get(one.decision.why) for one in (before, process.memory))
        if old is not None and new is not None and new.at < old.at - 2 * SKEW_S:
            raise Violated(f"S6: {process.machine.name} moved forward to an older decision")

    def _ahead_of_nobody(self, base: GroupRecord, made: GroupRecord, forward: bool) -> None:
        """Nobody who could have known stands behind where a move forward begins."""
        for machine in self.machines.values():
            process = machine.process
            if not forward or process is None or not process.serving or not process.known:
                continue
            later = process.memory.decision.seq > base.decision.seq or set(process.memory.files) - made.files
            if not later and process.position.rank < self.position(base).rank:
                raise Violated(f"S3: {machine.name} is two steps behind")

    def _acknowledged(self, name: str, made: GroupRecord) -> None:
        self.acknowledged += 1
        for machine in self.machines.values():
            known = machine.name in self.known and machine.disk is not None
            if known and machine.disk and machine.disk.decision.seq < made.decision.seq:
                raise Violated(f"S3: {machine.name} may forget {name}, which was acknowledged")

    def heal(self) -> None:
        """Everything runs, and sees the store."""
        self.drain()
        for machine in self.machines.values():
            machine.cut = machine.broken = False
            self.do(self.start(machine.name))
        for _ in range(4):
            for name in self.machines:
                self.do(self.follow(name))

    def agree(self) -> None:
        """S2: once all see the store, all agree, and what nobody released holds."""
        self.heal()
        memories = {name: machine.process.memory for name, machine in self.machines.items() if machine.process}
        if len({digest(memory) for memory in memories.values()} | {digest(self.store.read().record)}) > 1:
            raise Violated(f"S2: the gateways differ for ever: {memories}")
        kept = {one for one in self.store.kept if one.startswith("r")}.union(*(m.kept for m in self.machines.values()))
        if any(self.position(memory) != LEGACY for memory in memories.values()) and kept - self.released:
            raise Violated(f"S2: {kept - self.released} was rolled back, and all serve forward")
