"""Nothing crosses from one client to another (issue: Bad input)."""

import random
import threading
from collections.abc import Sequence

import pytest

from tests.http.client import Client
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok, ok_chunked, post, post_chunked
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S

CLIENTS, ROUNDS = 24, 40


def echo(call: Call) -> None:
    """Answers with what was asked, in one of the framings; now and then breaks off."""
    mark = call.request.target
    body = call.body() + b"|" + mark
    how = hash(mark) % 5
    if how == 0:
        call.send(message(b"HTTP/1.1 200 OK", b"X-Mark: " + mark, body=body))
        call.close()
    elif how == 1:
        pieces = [body[i : i + 100] for i in range(0, len(body), 100)]
        head = message(b"HTTP/1.1 200 OK", b"X-Mark: " + mark, b"Transfer-Encoding: chunked")
        call.send(head + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")
    elif b"break" in mark:
        call.send(message(b"HTTP/1.1 200 OK", b"X-Mark: " + mark, b"Content-Length: 9999999", body=body))
        call.close()
    elif b"stray" in mark:
        call.send(ok(b"X-Mark: " + mark, body=body) + ok(body=b"stray"))
    else:
        call.send(ok(b"X-Mark: " + mark, body=body))


class Caller(threading.Thread):
    """A client with bytes of its own, which leaves in the middle now and then."""

    def __init__(self, gateway: GatewayProcess, number: int) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.number = number
        self.source = random.Random(number)
        self.answered = 0
        self.faults: list[str] = []

    def run(self) -> None:
        client = self.gateway.connect()
        for n in range(ROUNDS):
            kind = self.source.choice(["get", "post", "chunked", "leave", "break", "stray", "get", "post"])
            mark = b"/%d/%d/%s" % (self.number, n, kind.encode())
            size = 0 if kind in ("get", "break", "stray") else self.source.randrange(1, 3000)
            body = b"%d-%d;" % (self.number, n) * size
            client.send(self._request(kind, mark, body))
            if kind == "leave":
                client.reset()
                client = self.gateway.connect()
                continue
            try:
                answer = client.answer()
            except (OSError, AssertionError) as exc:
                if kind != "break" or "cut" not in str(exc):
                    self.faults.append(f"{mark!r}: {exc}")
                client = self.gateway.connect()
                continue
            self.answered += 1
            if answer.get(b"x-mark") != mark or answer.body != body + b"|" + mark:
                self.faults.append(f"{mark!r} got {answer.raw!r}")

    def _request(self, kind: str, mark: bytes, body: bytes) -> bytes:
        if kind == "chunked":
            return post_chunked(body[:10], *filter(None, [body[10:]])).replace(b"POST /", b"POST " + mark, 1)
        if kind in ("post", "leave"):
            return post(mark, body=body)
        return get(mark)


def all_done(callers: Sequence[Caller]) -> Sequence[Caller]:
    """Runs them side by side; nobody may get stuck or get what is another's."""
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(DEADLINE_S)
    assert [fault for caller in callers for fault in caller.faults] == []
    assert not any(caller.is_alive() for caller in callers)
    return callers


def test_every_client_gets_its_own_answers_while_others_break_and_leave(
    gateway: GatewayProcess, origin: Script
) -> None:
    origin.answers(echo)
    callers = all_done([Caller(gateway, number) for number in range(CLIENTS)])
    assert sum(caller.answered for caller in callers) > CLIENTS * ROUNDS / 2


def test_a_flood_of_connections_leaves_room_for_a_client(gateway: GatewayProcess, origin: Script) -> None:
    for _ in range(300):
        gateway.connect().send(b"GET / HTTP/1.1\r\nHost:")
    assert gateway.connect().ask(message(b"GET / HTTP/1.1", HOST)).status == 200


class SlowCaller(Caller):
    """A client with small buffers that pauses before it reads, or leaves; sizes up to what stops an upstream."""

    def run(self) -> None:
        client = self._connect()
        for n in range(ROUNDS // 2):
            size = self.source.choice([10, 70_000, 300_001, 1_000_000, 2_500_001, 3_200_000]) + n
            mark = b"/%d/%d/%d" % (size, self.number, n)
            client.send(
                self.source.choice([get(mark), post(mark, body=b"u" * 1000), post(mark, body=b"u" * 1_000_000)])
            )
            threading.Event().wait(self.source.choice([0, 0, 0.02, 0.1]))
            if self.source.random() < 0.15:
                client.close()
                client = self._connect()
                continue
            try:
                answer = client.answer()
            except (OSError, AssertionError) as exc:
                self.faults.append(f"{mark!r}: {exc!r:.300}")
                return
            self.answered += 1
            if answer.body != repeated(mark):
                self.faults.append(f"{mark!r} got {answer.raw!r}")

    def _connect(self) -> Client:
        return self.gateway.connect(receive_buffer=self.source.choice([None, 4096, 65_536]))


def pieces(body: bytes) -> list[bytes]:
    """Chunks of 50 kB."""
    return [body[at : at + 50_000] for at in range(0, len(body), 50_000)]


def repeated(mark: bytes) -> bytes:
    """A body of about the size that the mark names, made of the mark."""
    return mark * (int(mark.split(b"/")[1]) // len(mark) + 1)


@pytest.mark.walk
def test_slow_clients_do_not_hold_up_others_on_the_same_upstream_connections_C7(
    gateway: GatewayProcess, origin: Script
) -> None:
    def handle(call: Call) -> None:
        call.body()
        body = repeated(call.request.target)
        call.send(ok(body=body) if len(body) % 2 else ok_chunked(*pieces(body)))

    origin.answers(handle)
    all_done([SlowCaller(gateway, number) for number in range(12)])
