"""Whole requests without sockets: the work is done, and nothing is left behind."""

from benchmarks.profile.steps import Bench, costs
from benchmarks.profile.whole import Passage, collections_for_each

RESPONSE = b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 14:14:14 GMT\r\nContent-Length: 4\r\n\r\nbody"


def test_a_request_passes_with_a_token_of_the_gateways_own() -> None:
    with Bench() as bench:
        to_upstream, to_client = Passage(bench.gateway, bench.x.service, RESPONSE).exchange(bench.small)
    assert to_upstream.count(b"\r\nAuthorization: Bearer ") == 1
    assert (bench.x.head.authorization or b"") not in to_upstream
    assert to_client.endswith(b"\r\n\r\nbody")


def test_an_exchange_leaves_nothing_that_only_the_garbage_collector_can_free() -> None:
    with Bench() as bench:
        lane = Passage(bench.gateway, bench.x.service, RESPONSE)
        lane.exchange(bench.small)
        assert collections_for_each(lambda: lane.exchange(bench.small), 200) < 0.5


def test_each_step_of_the_way_is_measured() -> None:
    with Bench() as bench:
        pieces = [piece for piece, _ in costs(bench, number=2)]
    assert [piece for piece in pieces if piece.startswith("step ") and "," not in piece] == [
        f"step {type(step).__name__}" for step in bench.gateway.steps
    ]
