"""Gateways that begin to count anew: so do their workers, which tell users with a failure apart by themselves."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from strangler_gateway.identity.signer import ephemeral_signer
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.workers.process import WorkerProcess
from strangler_gateway.workers.worker import GatewayWorker
from strangler_gateway.workers.workers import Shared, Workers

COUNTED: dict[str, Any] = {
    "is": "counted",
    "delta": {},
    "examples": [],
    "limits": {},
    "turns": None,
    "instances": [],
    "bulkheads": [],
}


def test_each_worker_is_told_once_with_the_next_counts_that_it_tells(tmp_path: Path) -> None:
    stats, said = Stats(wall=lambda: 100.0), list[str]()
    workers = Workers(
        Shared(Settings.model_validate({"routes": tmp_path / "routes.yaml"}), ephemeral_signer(), "m"),
        [[]],
        stats,
        Examples(),
    )
    channel = SimpleNamespace(send=lambda what, **_: said.append(what))
    worker = WorkerProcess(0, cast(Any, SimpleNamespace(pid=1)), cast(Any, channel))
    workers._hear(worker, {**COUNTED, "number": 0})
    stats.begin_anew()
    for number in (1, 2):
        workers._hear(worker, {**COUNTED, "number": number})
    assert said == ["anew"]


def test_the_users_of_a_worker_who_have_failed_count_again() -> None:
    stats = Stats()
    stats.begin_step("g", 50.0, 1000, ["r"])
    stats.steps["g"].users_of_new().pairs[7] = 1
    outside, nothing = cast(Any, SimpleNamespace(stats=stats)), cast(Any, None)
    worker = GatewayWorker(nothing, nothing, outside, nothing, {"number": 1, "steps": {"g": [50.0, 1000]}})
    worker._HEARD["anew"](worker, {"is": "anew"})
    assert (stats.steps["g"].new, stats.steps["g"].since) == (None, 50.0)
