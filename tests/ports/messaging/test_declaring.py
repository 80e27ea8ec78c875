"""What `declare` makes, keeps and refuses, on every broker."""

from dataclasses import replace

import pytest

from chassis.messaging.port import Broker, TopologyDiffers
from chassis.messaging.topology import Topology
from tests.ports.messaging.brokers import Brokers
from tests.support.messaging import OTHER, THINGS, TOPOLOGY, TYPE, thing


async def test_declaring_again_keeps_everything(brokers: Brokers, broker: Broker) -> None:
    await broker.publish("events", thing())
    await (await brokers.connect()).declare(TOPOLOGY)
    await broker.ping()
    assert await broker.depth("things") == 1
    assert await broker.depth("things.dead") == 0


@pytest.mark.parametrize("limits", [{"max_length": 7}, {"delivery_limit": 7}])
async def test_other_limits_than_those_that_exist_are_refused(broker: Broker, limits: dict[str, int]) -> None:
    wanted = replace(THINGS, **limits)  # type: ignore[arg-type]  # both are numbers
    with pytest.raises(TopologyDiffers, match=r"^[^\n]*things[^\n]*7[^\n]*$"):
        await broker.declare(Topology(TOPOLOGY.writers, (wanted,)))
    await broker.declare(TOPOLOGY)


async def test_a_type_that_is_added_is_bound(broker: Broker) -> None:
    await broker.declare(Topology(TOPOLOGY.writers, (replace(THINGS, types=(TYPE, OTHER)),)))
    await broker.publish("events", thing(type_=OTHER))
    assert (await broker.depth("things"), await broker.depth("others")) == (1, 1)


async def test_a_queue_that_nobody_declared_differs(broker: Broker) -> None:
    with pytest.raises(TopologyDiffers, match="unknown"):
        await broker.depth("unknown")
    assert await broker.depth("things") == 0
