"""The embedded broker's jobs against a model: what is in the queue, who has it, and when it is given again."""

import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from chassis.messaging.port import PublishRefused
from chassis.messaging.sqlite import jobs
from chassis.messaging.sqlite.consumer_loop import LeasedMessage
from chassis.messaging.sqlite.schema import open_file
from chassis.messaging.topology import Queue

LEASE_S = 10.0
THINGS = Queue("things", "a", "events", ("thing.v1",), max_length=4, delivery_limit=2)


def tables(path: Path, *queues: Queue) -> sqlite3.Connection:
    connection = open_file(path, is_full=False, busy_s=1)
    jobs.declare(connection, queues)
    return connection


def put(connection: sqlite3.Connection, body: bytes, expires_at: float | None = None) -> None:
    jobs.put(connection, "events", "thing.v1", {}, body, expires_at)


@dataclass
class Modelled:
    """`taken`: the token of its last taking; `until`: the lease's end."""

    body: bytes
    takes: int = 0
    taken: int | None = None
    until: float = 0.0


class Tables(RuleBasedStateMachine):
    """Puts, takings, acknowledgements (also too late), failures, lapsed leases."""

    takings: Bundle[LeasedMessage] = Bundle("takings")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.connection = tables(Path(self.folder.name) / "broker.db", THINGS)
        self.now, self.puts = 1000.0, 0
        self.queue: list[Modelled] = []
        self.dead: list[bytes] = []

    def teardown(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    @rule()
    def put(self) -> None:
        self.puts += 1
        body = str(self.puts).encode()
        if len(self.queue) < THINGS.max_length:
            put(self.connection, body)
            self.queue.append(Modelled(body))
        else:
            with pytest.raises(PublishRefused):
                put(self.connection, body)

    @rule(target=takings, at_most=st.integers(1, 3))
    def take(self, at_most: int) -> Any:
        taken = jobs.take(self.connection, "things", at_most, self.now, LEASE_S)
        wanted = [one for one in self.queue if one.until <= self.now][:at_most]
        for one in [one for one in wanted if one.takes > THINGS.delivery_limit]:
            wanted.remove(one)
            self._bury(one)
        assert [(one.delivery.body, one.delivery.count) for one in taken] == [(one.body, one.takes) for one in wanted]
        for one, ours in zip(wanted, taken, strict=True):
            one.takes, one.taken, one.until = one.takes + 1, ours.token, self.now + LEASE_S
        return multiple(*taken)

    @rule(taken=consumes(takings))
    def acknowledge(self, taken: LeasedMessage) -> None:
        jobs.acknowledge(self.connection, taken)
        self.queue = [one for one in self.queue if not self._is(one, taken)]

    @rule(taken=consumes(takings), failed=st.booleans())
    def give_back(self, taken: LeasedMessage, failed: bool) -> None:
        jobs.give_back(self.connection, taken, self.now, failed=failed)
        for one in [one for one in self.queue if self._is(one, taken)]:
            one.takes, one.taken, one.until = one.takes - (not failed), None, 0.0
            if one.takes > THINGS.delivery_limit:
                self._bury(one)

    @rule(taken=takings)
    def renew(self, taken: LeasedMessage) -> None:
        jobs.renew(self.connection, [(taken.number, taken.token)], self.now + LEASE_S)
        for one in self.queue:
            if self._is(one, taken):
                one.until = self.now + LEASE_S

    @rule(passed_s=st.sampled_from([1.0, LEASE_S - 1, LEASE_S]))
    def time_passes(self, passed_s: float) -> None:
        self.now += passed_s

    @rule()
    def drain_the_dead(self) -> None:
        for taken in jobs.take(self.connection, "things.dead", 10, self.now, LEASE_S):
            assert taken.delivery.body in self.dead
            assert taken.delivery.died == "delivery_limit in things"
            self.dead.remove(taken.delivery.body)
            jobs.acknowledge(self.connection, taken)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        ready = [one for one in self.queue if one.until <= self.now]
        assert jobs.depth(self.connection, "things", self.now) == len(ready)
        assert jobs.depth(self.connection, "things.dead", self.now) == len(self.dead)
        lengths = dict(self.connection.execute("SELECT name, length FROM queue").fetchall())
        assert lengths == {"things": len(self.queue), "things.dead": len(self.dead)}

    @staticmethod
    def _is(one: Modelled, taken: LeasedMessage) -> bool:
        return one.taken == taken.token and one.body == taken.delivery.body

    def _bury(self, one: Modelled) -> None:
        if len(self.dead) < THINGS.max_length:
            self.queue.remove(one)
            self.dead.append(one.body)
        else:
            one.until = self.now + jobs.DEAD_WAITS_S


Tables.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_the_tables_do_what_the_model_does = Tables.TestCase


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    connection = tables(tmp_path / "broker.db", THINGS)
    yield connection
    connection.close()


def test_dead_letters_have_no_delivery_limit(connection: sqlite3.Connection) -> None:
    jobs.declare(connection, (Queue("dead", "a", "events", ("dead.v1",), delivery_limit=1),))
    connection.execute("INSERT INTO message (queue, properties, body) VALUES ('things.dead', '{}', x'')")
    for deliveries in range(50):
        assert len(jobs.take(connection, "things.dead", 1, 100.0 * deliveries, LEASE_S)) == 1


def test_a_message_stays_in_its_queue_while_that_of_dead_letters_is_full(connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT INTO message (queue, properties, body) VALUES ('things.dead', '{}', ?)", [(b"",)] * THINGS.max_length
    )
    put(connection, b"one too many")
    for deliveries in range(THINGS.delivery_limit + 1):
        taken = jobs.take(connection, "things", 1, 100.0 * deliveries, LEASE_S)
    jobs.give_back(connection, taken[0], 500.0, failed=True)
    assert jobs.take(connection, "things", 1, 500.0, LEASE_S) == []
    connection.execute("DELETE FROM message WHERE queue = 'things.dead'")
    assert jobs.take(connection, "things", 1, 500.0 + jobs.DEAD_WAITS_S, LEASE_S) == []
    assert jobs.depth(connection, "things.dead", 0.0) == 1


def test_whoever_stood_still_and_lost_its_lease_settles_nothing(connection: sqlite3.Connection) -> None:
    put(connection, b"x")
    (stale,), _held = (jobs.take(connection, "things", 1, now, LEASE_S) for now in (0.0, LEASE_S))
    jobs.acknowledge(connection, stale)
    jobs.give_back(connection, stale, LEASE_S, failed=True)
    jobs.renew(connection, [(stale.number, stale.token)], 10 * LEASE_S)
    assert jobs.take(connection, "things", 1, LEASE_S, LEASE_S) == []
    assert [one.delivery.body for one in jobs.take(connection, "things", 1, 2 * LEASE_S, LEASE_S)] == [b"x"]


def test_a_lease_from_before_a_restart_of_the_host_has_ended(connection: sqlite3.Connection) -> None:
    put(connection, b"old")
    jobs.take(connection, "things", 1, 1_000_000.0, LEASE_S)
    assert len(jobs.take(connection, "things", 1, 5.0, LEASE_S)) == 1


def test_what_has_expired_is_pruned_though_nobody_takes_it(connection: sqlite3.Connection) -> None:
    put(connection, b"short", expires_at=10.0)
    put(connection, b"long")
    jobs.prune(connection, 10.0)
    assert connection.execute("SELECT body FROM message").fetchall() == [(b"long",)]


@pytest.mark.parametrize("now", [160.0, 1.0])
def test_a_queue_of_replies_whose_owner_is_silent_is_pruned_with_all_that_is_in_it(
    connection: sqlite3.Connection, now: float
) -> None:
    jobs.keep_replies(connection, "answers", "key", 100.0 + jobs.LONGEST_SILENCE_S)
    jobs.put(connection, "answers", "key", {}, b"", None)
    jobs.prune(connection, 101.0)
    assert jobs.depth(connection, "key", 101.0) == 1
    jobs.prune(connection, now)
    assert connection.execute("SELECT count(*) FROM binding WHERE queue = 'key'").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)
    assert connection.execute("SELECT name FROM queue ORDER BY name").fetchall() == [("things",), ("things.dead",)]


def test_a_message_refused_by_one_queue_is_in_none(connection: sqlite3.Connection) -> None:
    jobs.declare(connection, (Queue("copies", "a", "events", ("thing.v1",), max_length=1),))
    put(connection, b"first")
    with pytest.raises(PublishRefused, match="copies is full"):
        put(connection, b"second")
    assert jobs.depth(connection, "things", 0.0) == 1


def test_tables_of_another_version_are_not_touched(tmp_path: Path) -> None:
    tables(tmp_path / "broker.db", THINGS).execute("PRAGMA user_version = 7").connection.close()
    with pytest.raises(sqlite3.DatabaseError, match="version 7; wanted 1"):
        open_file(tmp_path / "broker.db", is_full=False, busy_s=1)


def test_of_several_that_open_a_new_file_at_once_one_makes_the_tables(tmp_path: Path) -> None:
    for number in range(10):
        path, ready = tmp_path / f"broker{number}.db", Barrier(8)

        def join(path: Path = path, ready: Barrier = ready) -> None:
            ready.wait()
            tables(path, THINGS).close()

        with ThreadPoolExecutor(8) as threads:
            for joined in [threads.submit(join) for _ in range(8)]:
                joined.result()
