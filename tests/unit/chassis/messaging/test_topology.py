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


def with_queue(**change: object) -> dict[str, Any]:
    return {**GOOD, "queues": {"things": {**GOOD["queues"]["things"], **change}}}


def with_exchange(name: str, exchange: object) -> dict[str, Any]:
    return {**GOOD, "exchanges": {**GOOD["exchanges"], name: exchange}}


TYPES = "Queue things: `types` must be a list of at least one message type"


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (with_queue(owner=5), "Queue things: `owner` must name one deployable."),
        (with_queue(exchange="nowhere"), "Queue things: its exchange nowhere is not among `exchanges`."),
        *((with_queue(types=types), TYPES) for types in (["thing"], ["thing.v1", "thing.v1"], [], "thing.v1")),
        (with_queue(max_length=0), "Queue things: `max_length` must be a whole number of at least 1."),
        (with_queue(delivery_limit=True), "Queue things: `delivery_limit` must be a whole number of at least 1."),
        (with_queue(max_lenght=5), "Queue things: max_lenght is unknown"),
        (None, "exactly `exchanges` and `queues`"),
        ({**GOOD, "more": {}}, "exactly `exchanges` and `queues`"),
        ({"exchanges": [], "queues": {}}, "must be mappings from a name"),
        (with_exchange("events", {"writers": []}), "Exchange events: it must have `writers`"),
        (with_exchange("Ä", {"writers": ["a"]}), "Exchange Ä: a name has"),
        (with_exchange("x.dead", {"writers": ["a"]}), "Exchange x.dead: the ending .dead is reserved"),
        ({**GOOD, "queues": {"things.dead": GOOD["queues"]["things"]}}, "Queue things.dead: the ending .dead"),
        ({**GOOD, "queues": {"events": GOOD["queues"]["things"]}}, "Queue events: an exchange has the same name"),
        ({**GOOD, "queues": {"things": None}}, "Queue things: it must be a mapping"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_in_one_line(document: object, fault: str) -> None:
    with pytest.raises(TopologyInvalid) as caught:
        parse(document)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


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
