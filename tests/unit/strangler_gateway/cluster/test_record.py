"""A group's record: copies merge in any order to the same, a hold is never lost, JSON from anywhere is checked."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.cluster.record import (
    GroupDecision,
    GroupRecord,
    Hold,
    PlanState,
    RollbackName,
    consume,
    decide,
    held,
    hold,
    holds,
    merge,
    mint,
    plan_state,
    position,
    release,
    rollback,
)
from strangler_gateway.cluster.record_json import (
    MAX_BYTES,
    MAX_FILES,
    MAX_RUNS,
    RecordInvalid,
    decode,
    digest,
    encode,
    name_shown,
    parse_name,
)
from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.table.position import LEGACY, ORDER, Position
from strangler_gateway.table.routes import MigrationState
from tests.support.effort import examples

CANARY, EXTRACTED = Position(MigrationState.CANARY, 1000), Position(MigrationState.EXTRACTED)
NOBODY = Hold(0.0, "")

runs = st.sampled_from(["7f3a", "b2", "c9"])
numbers = st.integers(1, 3)
positions = st.sampled_from([Position(state) for state in ORDER] + [CANARY])
notes = st.builds(Hold, st.sampled_from([1.0, 2.0]), st.sampled_from(["ada", "bob"]), st.sampled_from(["", "why"]))

Step = Callable[[GroupRecord], GroupRecord]


def _released(count: int) -> Step:
    return lambda record: release(record, holds(record)[:count])


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda run, number, note: lambda r: rollback(r, RollbackName(run, number), note), runs, numbers, notes),
    st.builds(lambda run, note: lambda r: rollback(r, mint(r, run), note), runs, notes),
    st.builds(
        lambda to, now, who, file: lambda r: decide(r, to, now, who=who, file=file),
        positions,
        st.sampled_from([0.0, 1.0, 2.5]),
        st.sampled_from(["ada", "bob"]),
        st.sampled_from([None, "f1", "f2"]),
    ),
    st.builds(_released, st.integers(0, 2)),
)


def _made(made: list[Step]) -> GroupRecord:
    record = GroupRecord()
    for step in made:
        record = step(record)
    return record


records = st.builds(_made, st.lists(steps, max_size=6))
tried = settings(max_examples=examples(300), deadline=None)


@tried
@given(records, records, records)
def test_merging_is_commutative_associative_and_idempotent(a: GroupRecord, b: GroupRecord, c: GroupRecord) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a == merge(a, GroupRecord())
    assert merge(merge(a, b), b) == merge(a, b)


@tried
@given(records, records)
def test_a_hold_is_lost_only_to_somebody_who_released_it(one: GroupRecord, other: GroupRecord) -> None:
    both = set(holds(merge(one, other)))
    for name in holds(one):
        released = other.released.get(name.run, 0) >= name.number
        assert released or any(kept.run == name.run and kept.number >= name.number for kept in both)


@tried
@given(records, records, runs, st.lists(steps, max_size=4))
def test_no_flip_that_did_not_know_of_a_rollback_moves_the_group(
    here: GroupRecord, elsewhere: GroupRecord, run: str, later: list[Step]
) -> None:
    """Also when the rollback is released: only a decision made after it does."""
    elsewhere = merge(here, elsewhere)
    rolled_back = rollback(here, RollbackName(run, elsewhere.rolled_back.get(run, 0) + 1), NOBODY)
    flipped = decide(elsewhere, EXTRACTED, 9.0)
    joined = merge(rolled_back, flipped)
    assert (position(joined), held(joined)) == (LEGACY, True)
    free = release(joined, holds(joined))
    assert (position(free), held(free)) == (LEGACY, False)
    assert position(decide(free, CANARY, 1.0)) == CANARY


@tried
@given(records, records)
def test_a_merge_with_a_hold_that_the_other_has_not_released_leads_back(one: GroupRecord, other: GroupRecord) -> None:
    if set(holds(one)) - {name for name in holds(one) if other.released.get(name.run, 0) >= name.number}:
        assert position(merge(one, other)) == LEGACY
    assert position(merge(one, other)) in (LEGACY, position(one), position(other), *_decided(one, other))


def _decided(*those: GroupRecord) -> list[Position]:
    """A hold that one side knows as released may have been what kept the other back."""
    return [record.decision.position for record in those]


@tried
@given(records)
def test_what_is_written_is_read_and_equal_records_give_equal_bytes(record: GroupRecord) -> None:
    assert decode(encode(record)) == record
    again = merge(GroupRecord(), decode(encode(record)))
    assert (encode(again), digest(again)) == (encode(record), digest(record))


def test_the_later_decision_counts_and_of_two_at_once_the_lower_position() -> None:
    record = decide(GroupRecord(), CANARY, 1_796_000_000.9, who="ada")
    assert record.decision.seq == 1_796_000_000
    behind = decide(record, EXTRACTED, 5.0)
    assert behind.decision.seq == 1_796_000_001
    assert position(merge(record, behind)) == EXTRACTED
    assert position(merge(decide(record, CANARY, 5.0), behind)) == CANARY


def test_a_release_lifts_what_was_seen_and_a_number_of_the_future_lifts_nothing_more() -> None:
    first = rollback(GroupRecord(), RollbackName("a", 1), Hold(1.0, "ada"))
    second = rollback(first, mint(first, "a"), Hold(2.0, "bob"))
    assert hold(second) == Hold(2.0, "bob")
    assert held(release(second, holds(first)))
    eager = release(second, [RollbackName("a", 99), RollbackName("b", 1)])
    assert (held(eager), dict(eager.released)) == (False, {"a": 2})
    assert held(rollback(eager, mint(eager, "a"), NOBODY))
    assert hold(eager) is None
    assert rollback(eager, RollbackName("a", 2), Hold(3.0, "late")) == eager


def test_a_consumed_file_stays_and_a_plan_belongs_to_the_decision() -> None:
    record = consume(decide(GroupRecord(), CANARY, 1.0, plan=PlanState(2, True), file="f1"), "f2")
    assert record.files == frozenset({"f1", "f2"})
    assert decode(encode(record)).decision.plan == PlanState(2, True)


def test_what_is_known_of_legacy_outlives_moves_rollbacks_and_releases() -> None:
    known = (KnownFailures("", 30, 60, 5), KnownFailures("remove", 7, 7, 9))
    record = decode(encode(decide(GroupRecord(), CANARY, 1.0, plan=PlanState(2, asked="ada", probe=True, known=known))))
    assert plan_state(record) == PlanState(2, asked="ada", probe=True, known=known)
    moved = decide(record, EXTRACTED, 2.0)
    back = rollback(moved, mint(moved, "a"), NOBODY)
    for each in (moved, back, release(back, holds(back)), decide(release(back, holds(back)), CANARY, 3.0)):
        assert plan_state(decode(encode(each))) == PlanState(2, known=known)


def test_a_name_as_text() -> None:
    assert parse_name(name_shown(RollbackName("gw-1:x", 12))) == RollbackName("gw-1:x", 12)
    for text in ("", "7f3a", "7f3a:", "7f3a:0", ":1", "7f3a:1.5", "7f3a:²", "7f3a:" + "9" * 13, "a b:1"):
        with pytest.raises(RecordInvalid):
            parse_name(text)


def _with(**said: Any) -> bytes:
    good = decide(rollback(GroupRecord(), RollbackName("a", 1), Hold(1.0, "ada")), CANARY, 1.0)
    return json.dumps(json.loads(encode(good)) | said).encode()


def _decided_with(**said: Any) -> bytes:
    return _with(decision={"seq": 1, "position": {"state": "legacy"}, "knows": {}, "who": "", "why": ""} | said)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "no JSON"),
        (b"\xff{}", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"decision": {"seq": ' + b"9" * 5000 + b"}}", "no JSON"),
        (b" " * (MAX_BYTES + 1), "bytes"),
        (b"[]", "must be an object, not list"),
        (_with(rolled_back=[1]), "rolled_back must be an object"),
        (_with(rolled_back={"a": -1}), "rolled_back.a must be a whole number"),
        (_with(rolled_back={"a": True}), "rolled_back.a must be a whole number"),
        (_with(rolled_back={"a": 1.0}), "rolled_back.a must be a whole number"),
        (_with(rolled_back={"a": 10**13}), "rolled_back.a must be a whole number"),
        (_with(rolled_back={"a b": 1}), "a name in rolled_back"),
        (_with(rolled_back={f"r{n}": 1 for n in range(MAX_RUNS + 1)}), "at most 10000"),
        (_with(released={"a": 2}), "released.a is 2, but rolled_back has 1"),
        (_with(files="f1"), "files must be a list"),
        (_with(files=[1]), "a name in files"),
        (_with(files=[str(n) for n in range(MAX_FILES + 1)]), "files must be a list"),
        (_with(notes={"a": {"since": "now"}}), "notes.a.since"),
        (_with(notes={"a": {"since": 1, "who": "x" * 1001}}), "notes.a.who"),
        (_with(decision=None), "decision must be an object"),
        (_decided_with(seq="1"), "decision.seq"),
        (_decided_with(seq=10**13), "decision.seq"),
        (_decided_with(position="canary"), "decision.position must be an object"),
        (_decided_with(position={"state": "gone"}), "decision.position is none"),
        (_decided_with(position={"state": ["canary"]}), "decision.position is none"),
        (_decided_with(position={"state": "canary", "share": 101}), "decision.position is none"),
        (_decided_with(position={"state": "canary", "share": True}), "decision.position is none"),
        (_decided_with(position={"state": "canary", "share": float("nan")}), "decision.position is none"),
        (_decided_with(position={"state": "canary", "share": float("inf")}), "decision.position is none"),
        (_decided_with(position={"state": "extracted", "share": 5}), "decision.position is none"),
        (_decided_with(knows={"a": 2}), "decision.knows.a is 2, but rolled_back has 1"),
        (_decided_with(plan=[]), "decision.plan must be an object"),
        (_decided_with(plan={"step": 1, "paused": "no"}), "decision.plan.paused"),
        (_decided_with(plan={"known": {}}), "decision.plan.known must be a list"),
        (_decided_with(plan={"known": [{}] * 51}), "at most 50 routes"),
        (_decided_with(plan={"known": [{"route": "r", "failed": 0, "of": 7, "at": 1}]}), "known.failed"),
        (_decided_with(plan={"known": [{"route": "r", "failed": 8, "of": 7, "at": 1}]}), "known.failed is 8"),
        (_decided_with(plan={"known": [{"route": 1, "failed": 7, "of": 7, "at": 1}]}), "known.route"),
        (_decided_with(who=7), "decision.who"),
    ],
)
def test_what_is_no_record_is_refused_with_its_place(raw: bytes, told: str) -> None:
    with pytest.raises(RecordInvalid) as refused:
        decode(raw)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_a_later_gateway_adds_is_no_fault() -> None:
    assert decode(_with(later={"x": 1})).rolled_back == {"a": 1}
    assert decode(b"{}") == GroupRecord() == GroupRecord(decision=GroupDecision())
