"""The file of the topology: what it says becomes values; all its faults are told at once."""

from pathlib import Path
from typing import Any

import pytest

from chassis.messaging.topology import Queue, Topology, TopologyInvalid, load, parse

ROOT = Path(__file__).parents[4]
GOOD: dict[str, Any] = {
    "exchanges": {"events": {"writers": ["a", "b"]}},
    "queues": {"things": {"owner": "c", "exchange": "events", "types": ["thing.v1"], "max_length": 5}},
}


def test_a_file_becomes_values(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(
        "exchanges:\n  events: {writers: [a, b]}\n"
        "queues:\n  things: {owner: c, exchange: events, types: [thing.v1], max_length: 5}\n"
    )
    wanted = Queue("things", "c", "events", ("thing.v1",), max_length=5, delivery_limit=20)
    assert load(path) == Topology({"events": ("a", "b")}, (wanted,))


def test_the_topology_of_the_services_can_be_used() -> None:
    topology = load(ROOT / "extracted/topology.yaml")
    assert [queue.name for queue in topology.owned_by("shop").queues] == ["shop.commands"]
    assert topology.owned_by("shop").writers == {"purchases.commands": ("account",)}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"owner": 5}, "Queue things: `owner` must name one deployable."),
        ({"exchange": "nowhere"}, "Queue things: its exchange nowhere is not among `exchanges`."),
        ({"types": ["thing"]}, "Queue things: `types` must be a list of at least one message type"),
        ({"types": ["thing.v1", "thing.v1"]}, "Queue things: `types` must be a list of at least one message type"),
        ({"types": []}, "Queue things: `types` must be a list of at least one message type"),
        ({"types": "thing.v1"}, "Queue things: `types` must be a list of at least one message type"),
        ({"max_length": 0}, "Queue things: `max_length` must be a whole number of at least 1."),
        ({"delivery_limit": True}, "Queue things: `delivery_limit` must be a whole number of at least 1."),
        ({"max_lenght": 5}, "Queue things: max_lenght is unknown"),
    ],
)
def test_a_queue_that_cannot_be_used_is_told_by_name(change: dict[str, object], fault: str) -> None:
    queue = {**GOOD["queues"]["things"], **change}
    with pytest.raises(TopologyInvalid) as caught:
        parse({**GOOD, "queues": {"things": queue}})
    assert fault in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (None, "exactly `exchanges` and `queues`"),
        ({**GOOD, "more": {}}, "exactly `exchanges` and `queues`"),
        ({"exchanges": [], "queues": {}}, "must be mappings from a name"),
        ({**GOOD, "exchanges": {"events": {"writers": []}}}, "Exchange events: it must have `writers`"),
        ({**GOOD, "exchanges": {**GOOD["exchanges"], "Ä": {"writers": ["a"]}}}, "Exchange Ä: a name has"),
        (
            {**GOOD, "queues": {"things.dead": GOOD["queues"]["things"]}},
            "Queue things.dead: the ending .dead is reserved",
        ),
        (
            {**GOOD, "exchanges": {**GOOD["exchanges"], "x.dead": {"writers": ["a"]}}},
            "Exchange x.dead: the ending .dead",
        ),
        ({**GOOD, "queues": {"events": GOOD["queues"]["things"]}}, "Queue events: an exchange has the same name"),
        ({**GOOD, "queues": {"things": None}}, "Queue things: it must be a mapping"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(document: object, fault: str) -> None:
    with pytest.raises(TopologyInvalid) as caught:
        parse(document)
    assert fault in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(TopologyInvalid) as caught:
        parse({"exchanges": {"events": {}}, "queues": {"things": {"exchange": "nowhere"}}})
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("data", "fault"), [(b"a: [", "is not YAML"), (b"\xff", "not UTF-8"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, data: bytes | None, fault: str) -> None:
    path = tmp_path / "topology.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TopologyInvalid, match=fault) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 1
