"""The traces T1 to T6 of gates.md, request by request through the gateway's counters, judged by the sentinel."""

from itertools import count

import pytest

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.exchange.decision import SHARE_IN, SHARE_OUT
from tests.support.effort import examples
from tests.support.gateway.simulated_traffic import SimulatedGateway, Watched
from tests.support.gateway.traces import TRACES

BOT = 4_000_000_000


def played(name: str, seed: int) -> tuple[int | None, int | None]:
    """The tick of the rollback, and that of the first probe."""
    gateway = SimulatedGateway()
    watched, users, probed = Watched(gateway), count(1), None
    for tick, second in enumerate(TRACES[name].run(seed)):
        for failed in second.new:
            gateway.request(next(users), SHARE_IN, 500 if failed else 200)
        for failed in second.legacy:
            gateway.request(next(users), SHARE_OUT, 500 if failed else 200)
        for _ in range(second.bot):
            gateway.request(BOT, SHARE_IN, 500)
        advice = watched.tick().advice
        if advice is Advice.ROLLBACK:
            return tick, probed
        if advice is Advice.PROBE and probed is None:
            probed = tick
    return None, probed


@pytest.mark.parametrize(
    ("name", "rollback", "probe"),
    [("T1", 703, None), ("T2", 719, None), ("T3", None, 702), ("T4", 906, None), ("T5", None, None), ("T6", 840, 701)],
)
def test_the_first_seed_is_judged_as_in_the_table(name: str, rollback: int | None, probe: int | None) -> None:
    assert played(name, 1) == (rollback, probe)


SEEDS = range(2, 2 + examples(16))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "rollback", "probe"),
    [
        ("T1", (703, 705), None),
        ("T2", (710, 780), None),
        ("T3", None, (700, 954)),
        ("T4", (906, 906), None),
        ("T5", None, None),
        ("T6", (840, 900), (700, 704)),
    ],
)
def test_other_seeds_stay_in_the_range(
    name: str, seed: int, rollback: tuple[int, int] | None, probe: tuple[int, int] | None
) -> None:
    for tick, wanted in zip(played(name, seed), (rollback, probe), strict=True):
        assert (tick is None) if wanted is None else (tick is not None and wanted[0] <= tick <= wanted[1])
