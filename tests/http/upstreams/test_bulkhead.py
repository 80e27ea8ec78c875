"""A service has only so many requests at once: further ones wait in a bounded queue, or are refused at once."""

import threading

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import get, ok, post
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S


def holding(origin: Script) -> threading.Event:
    """The upstream answers when the event is set."""
    proceed = threading.Event()

    def handle(call: Call) -> None:
        proceed.wait(DEADLINE_S)
        call.reply(ok())

    origin.answers(handle)
    return proceed


def test_the_next_request_waits_and_one_too_many_gets_503_and_retry_after_at_once_9110_15_6_4(
    gateway: GatewayProcess, client: Client, origin: Script
) -> None:
    proceed = holding(origin)
    under_way, waiting = gateway.connect(), gateway.connect()
    under_way.send(get(b"/crowded/1"))
    assert origin.saw(1)
    waiting.send(get(b"/crowded/2"))
    assert waiting.stays_silent(0.05)
    refused = client.ask(post(b"/crowded/3"))
    assert (refused.status, refused.error) == (503, b"connection_limit_reached")
    assert refused.get(b"retry-after") == b"1"
    proceed.set()
    assert [one.answer().status for one in (under_way, waiting)] == [200, 200]
    assert client.ask(get(b"/crowded/4")).status == 200
    assert [request.target for request in origin.requests] == [b"/crowded/1", b"/crowded/2", b"/crowded/4"]


def test_who_waits_too_long_for_a_place_gets_503_9110_15_6_4(gateway: GatewayProcess, origin: Script) -> None:
    proceed = holding(origin)
    under_way, waiting = gateway.connect(), gateway.connect()
    under_way.send(get(b"/crowded/1"))
    assert origin.saw(1)
    refused = waiting.ask(get(b"/crowded/2"))
    assert (refused.status, refused.error) == (503, b"connection_limit_reached")
    proceed.set()
    assert under_way.answer().status == 200
    assert len(origin.requests) == 1


def test_answers_that_say_that_the_service_does_not_work_open_the_breaker_and_others_do_not(
    client: Client, origin: Script
) -> None:
    for status in (b"500 Broken", b"404 Unknown", b"200 Fine", b"503 Sick", b"502 Sick", b"504 Sick"):
        origin.answers(ok(body=b"its own", status=status))
        assert client.ask(get(b"/sick/a")).body == b"its own"
    answer = client.ask(get(b"/sick/a"))
    assert (answer.status, answer.error, answer.get(b"retry-after")) == (503, b"destination_unavailable", b"60")
    assert len(origin.requests) == 6
