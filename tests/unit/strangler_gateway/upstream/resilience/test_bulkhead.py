"""Places, queue and breaker of a service together: no call is lost, and each ends exactly once."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.exchange.errors import UpstreamError, connect_error
from strangler_gateway.table.routes import Service
from strangler_gateway.table.rules.resilience import NO_BREAKER, BreakerRules, QueueRules
from strangler_gateway.telemetry.bulkheads import BulkheadStatus
from strangler_gateway.upstream.connections.call import Call, Nobody
from strangler_gateway.upstream.resilience.breaker import BreakerState
from strangler_gateway.upstream.resilience.bulkhead import ENTERED, FULL, REFUSED, Bulkhead
from tests.support.effort import examples

SERVICE = Service("shop", "http", "shop", 80, queue=QueueRules(2, 1.0), breaker=NO_BREAKER)
FRAGILE = BreakerRules(failures=2, errors=0, open_s=5, probes=1)
STEPS = st.sampled_from(
    ["send", "send", "send", "good", "sick", "lost", "broken", "gone", "gone waiting", "turn", "sweep"]
)


class Client(Nobody):
    """Counts how its call ends."""

    def __init__(self) -> None:
        self.errors: list[UpstreamError] = []

    def on_error(self, error: UpstreamError) -> None:
        self.errors.append(error)


class Upstream:
    """A service whose calls are held until the test ends them; time stands still, and turns come when asked for."""

    def __init__(self, service: Service = SERVICE, places: int = 2) -> None:
        self.service, self.time, self.logged = service, 0.0, b""
        self.active: set[Call] = set()
        self.sent: list[Call] = []
        self.clients: dict[Call, Client] = {}
        self.answered: set[Call] = set()
        self._due: list[Callable[[], None]] = []
        self.bulkhead = Bulkhead(service, self.now, lambda call, _now: self.sent.append(call), self._due.append)
        self.bulkhead.set_places(places)

    def now(self) -> float:
        return self.time

    def leave(self, call: Call) -> None:
        """There is one instance."""

    def send(self) -> Call:
        client = Client()
        call = Call(self, client, b"GET", b"/", b"", True, b"")
        self.clients[call] = client
        entered = self.bulkhead.enter(call, self.time)
        if entered == ENTERED:
            self.sent.append(call)
        elif entered == FULL:
            self.bulkhead.wait(call, self.time)
        else:
            assert entered == REFUSED
            self.bulkhead.refuse(call, self.time)
        return call

    def answer(self, call: Call, status: int = 200) -> None:
        self.answered.add(call)
        if call.ticket:
            self.bulkhead.answered(call, status, self.time)
        call.end()

    def turn(self) -> None:
        while self._due:
            self._due.pop(0)()

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.bulkhead.drop_overdue(self.time)

    def errors(self, *calls: Call) -> list[list[tuple[str, int]]]:
        return [[(error.code, error.retry_after_s) for error in self.clients[call].errors] for call in calls]

    @property
    def under_way(self) -> list[Call]:
        return [call for call in self.sent if not call.ended]


def test_the_next_one_goes_when_a_place_is_free_and_one_too_many_is_refused_at_once() -> None:
    shop = Upstream()
    first, second, third, fourth, fifth = (shop.send() for _ in range(5))
    shop.turn()
    assert shop.sent == [first, second]
    assert shop.errors(third, fourth, fifth) == [[], [], [("connection_limit_reached", 1)]]
    shop.answer(second)
    shop.turn()
    assert shop.sent == [first, second, third]
    assert (len(shop.bulkhead.waiting), shop.bulkhead.refused_full) == (1, 1)


def test_who_has_waited_too_long_is_refused_and_whose_client_has_gone_is_never_sent() -> None:
    shop = Upstream(places=1)
    first, gone, late = (shop.send() for _ in range(3))
    gone.abort()
    shop.pass_time(1.0)
    assert shop.errors(late) == [[("connection_limit_reached", 1)]]
    shop.answer(first)
    shop.turn()
    assert shop.sent == [first]
    assert shop.bulkhead.refused_late == 1


def test_under_overload_the_newest_goes_first() -> None:
    shop = Upstream(places=1)
    first, old = shop.send(), shop.send()
    shop.pass_time(0.6)
    new = shop.send()
    shop.answer(first)
    shop.turn()
    assert shop.sent == [first, new]
    shop.answer(new)
    shop.turn()
    assert shop.sent == [first, new, old]


def test_with_fewer_places_the_next_one_waits() -> None:
    shop = Upstream()
    calls = [shop.send(), shop.send()]
    shop.answer(calls[0])
    shop.bulkhead.set_places(1)
    shop.send()
    assert shop.sent == calls


def test_more_places_are_taken_and_when_the_service_leaves_everybody_goes() -> None:
    shop = Upstream(places=1)
    calls = [shop.send() for _ in range(3)]
    shop.bulkhead.set_places(2)
    shop.turn()
    assert shop.sent == calls[:2]
    shop.bulkhead.release_all()
    assert shop.sent == calls


def test_an_open_breaker_refuses_at_once_also_those_who_wait_and_says_when_to_come_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Upstream(replace(SERVICE, breaker=FRAGILE, is_new_end=True))
    lost, lost_too, waiting = (shop.send() for _ in range(3))
    for call in (lost, lost_too):
        call.fail(connect_error("shop", ConnectionRefusedError()))
    shop.turn()
    assert shop.sent == [lost, lost_too]
    assert shop.errors(waiting, shop.send()) == [[("destination_unavailable", 5)], []]
    shop.pass_time(4.5)
    late = shop.send()
    shop.turn()
    assert shop.errors(late) == [[("destination_unavailable", 1)]]
    assert shop.bulkhead.refused_open == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the breaker of shop is open: 2 connection failures in a row; no call for 5 s, then one call at once as a "
        "probe; in canary safe requests go to the legacy side, all others get 503; no state is moved"
    ]


def test_its_status_tells_what_is_under_way_what_waits_and_what_the_breaker_saw() -> None:
    shop = Upstream(replace(SERVICE, breaker=replace(FRAGILE, failures=1)), places=1)
    assert shop.bulkhead.status((0, 10)) == BulkheadStatus("shop", "closed", places=1, may_wait=2, may_retry=10)
    lost = shop.send()
    shop.send()
    shop.pass_time(0.25)
    found = shop.bulkhead.status((1, 10))
    assert (found.under_way, found.waiting, found.oldest_s, found.retries) == (1, 1, 0.25, 1)
    lost.fail(connect_error("shop", ConnectionRefusedError()))
    found = shop.bulkhead.status((0, 0))
    assert (found.breaker, found.opened, found.under_way) == ("open", 1, 0)
    assert found.seen.startswith("1 connection failures in a row; no call for 5 s")


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (UpstreamError("connection_timeout", "", "connect"), True),
        (UpstreamError("tls_certificate_error", "", "connect"), True),
        (UpstreamError("http_response_timeout", "", "response"), True),
        (UpstreamError("connection_terminated", "", "response"), True),
        (UpstreamError("http_protocol_error", "", "response"), False),
    ],
)
def test_no_answer_is_a_failure_and_an_answer_that_is_not_valid_is_none(error: UpstreamError, counts: bool) -> None:
    shop = Upstream(replace(SERVICE, breaker=BreakerRules(min=1)))
    shop.send().fail(error)
    assert (shop.bulkhead.breaker.state is BreakerState.OPEN) == counts


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500, 501, 502, 503, 504])
def test_a_status_counts_where_it_says_that_the_service_does_not_work(status: int) -> None:
    shop = Upstream(replace(SERVICE, breaker=BreakerRules(min=1)))
    shop.answer(shop.send(), status)
    assert (shop.bulkhead.breaker.state is BreakerState.OPEN) == (status in (502, 503, 504))


def test_a_full_service_is_logged_when_it_gets_full_and_when_it_is_not_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    shop = Upstream(places=1)
    for _ in range(9):
        shop.send()
    shop.pass_time(0.5)
    shop.pass_time(1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "shop is full: 1 calls under way, 2 wait; further ones get 503 at once until the queue is shorter",
        "shop is no longer full: 1 calls under way, 0 wait",
    ]


@settings(max_examples=examples(400))
@given(st.lists(st.tuples(STEPS, st.floats(0, 2)), max_size=150))
def test_whatever_happens_no_call_is_lost_and_each_ends_exactly_once(steps: list[tuple[str, float]]) -> None:
    shop = Upstream(replace(SERVICE, breaker=FRAGILE))
    aborted: set[Call] = set()
    for what, passed in steps:
        shop.time += passed
        under_way = shop.under_way
        if what == "send":
            shop.send()
        elif what == "turn":
            shop.turn()
        elif what == "sweep":
            shop.pass_time(0)
        elif what == "gone waiting":
            leaving = [call for call in shop.clients if not call.ended and not call.is_entered]
            aborted.update(leaving[:1])
            for call in leaving[:1]:
                call.abort()
        elif under_way:
            end(shop, what, under_way[0], aborted)
        assert shop.bulkhead.under_way == len(shop.under_way) <= 2
        assert len(shop.bulkhead.waiting) <= 2
        if shop.bulkhead.free_until:
            assert (shop.bulkhead.breaker.state, len(shop.bulkhead.waiting)) == (BreakerState.CLOSED, 0)
    while shop.under_way or shop.bulkhead.waiting:
        shop.turn()
        for call in shop.under_way:
            shop.answer(call)
    shop.turn()
    assert shop.bulkhead.under_way == 0
    assert len(set(shop.sent)) == len(shop.sent)
    for call, client in shop.clients.items():
        assert call.ended
        assert len(client.errors) + (call in shop.answered) + (call in aborted) == 1


def end(shop: Upstream, how: str, call: Call, aborted: set[Call]) -> None:
    if how == "lost":
        call.fail(connect_error("shop", ConnectionRefusedError()))
    elif how == "broken":
        call.fail(UpstreamError("http_protocol_error", "", "response"))
    elif how == "gone":
        aborted.add(call)
        call.abort()
    else:
        shop.answer(call, 503 if how == "sick" else 200)
