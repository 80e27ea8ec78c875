"""Gateways of one cluster that are more than one process: a handover on one host, and workers."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from parts.fresh import fresh_name
from parts.servers.consul import own
from strangler_gateway.cluster.consul_store import WAIT_S
from tests.support.gateway.many import CALLS, Many, OneOfMany
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected

CONNECTIONS = 12
"""So many that no worker is left out: the kernel gives each of two about half of them."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    """gw1 can be taken over, gw2 has two workers."""
    with own(tmp_path_factory.mktemp("consul")) as server:
        made = Many(tmp_path_factory.mktemp("many"), server, fresh_name(), 2)
        made.monolith.answer, made.shop.answer = {"side": "monolith"}, {"side": "shop"}
        made.gateways[0].options.append("--reuse-port")
        made.gateways[1].environ = {**made.gateways[1].environ, "STRANGLER_WORKERS": "2"}
        with made:
            yield made


def sides(one: OneOfMany) -> set[str]:
    """Who answers, over new connections."""
    url, fields = f"http://127.0.0.1:{one.running.port}/items/1", {"X-User": "ada", "Connection": "close"}
    return {CALLS.get(url, headers=fields).json()["side"] for _ in range(CONNECTIONS)}


class Waited:
    """`seconds`: of all conditions together."""

    seconds = 0.0

    def until(self, holds: Callable[[], bool], what: str) -> None:
        began = monotonic()
        until(holds, what)
        self.seconds += monotonic() - began


def test_a_flip_at_one_gateway_reaches_the_workers_of_another_at_once_and_their_counters_count(many: Many) -> None:
    """All moves together take less time than one question to the store may wait."""
    a, b = many.gateways
    waited = Waited()
    for to, share, side in (("shadow", None, "monolith"), ("canary", 100, "shop")):
        assert a.flip(to, share)["done"]
        waited.until(lambda side=side: sides(b) == {side}, f"all workers serve {to}")  # type: ignore[misc]
    before = a.counted()
    sides(b)
    until(lambda: a.counted().extracted - before.extracted == CONNECTIONS, "all of them are counted")
    b.rollback()
    waited.until(lambda: sides(a) == {"monolith"}, "the other one serves legacy")
    assert waited.seconds < WAIT_S
    assert sides(b) == {"monolith"}
    assert a.release()["done"]
    many.agree("legacy")


def test_a_gateway_that_is_taken_over_stays_the_same_gateway(many: Many) -> None:
    a, b = many.gateways
    assert a.flip("shadow")["done"]
    many.agree("shadow")
    until(lambda: "counters" not in codes(b), "all count together")
    for one in (a, b, a):
        sides(one)
    requests, before = b.counted().legacy, a.running
    a.start()
    assert (a.running.port, a.running.admin_port) == (before.port, before.admin_port)
    assert before.process.wait(60) == 0
    many.agree("shadow")
    assert b.counted().legacy == requests
    assert "counters" not in codes(b)
    assert b.ask("GET", "gateways")[1]["problem"] is None
    for one, share in ((b, 10), (a, 20)):
        assert one.flip("canary", share)["done"]
    many.agree("canary 20")
    a.rollback()
    many.agree("legacy held")
    again = a.running
    a.start()
    assert again.process.wait(60) == 0
    many.agree("legacy held")
    assert b.release()["done"]


def test_a_gateway_that_cannot_hand_over_goes_on_as_one_of_several(many: Many) -> None:
    a, b = many.gateways
    a.running.may_complain = True
    with unwritable(a.state / "counters.json"), pytest.raises(AssertionError, match="does not hand over"):
        a.start()
    a.running.logged("this one goes on")
    assert b.flip("shadow")["done"]
    many.agree("shadow")
    b.rollback()
    many.agree("legacy held")
    assert b.release()["done"]


@contextmanager
def unwritable(file: Path) -> Iterator[None]:
    """For root too: a folder has its place."""
    if file.exists():
        file.unlink()
    (file / "full").mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(file)


def codes(one: OneOfMany) -> set[str]:
    """Why the gate refuses a step forward."""
    return {refusal["code"] for refusal in one.flip("canary", 10, force=False, dry_run=True)["refusals"]}
