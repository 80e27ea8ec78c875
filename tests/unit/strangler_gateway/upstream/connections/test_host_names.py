"""Names are looked up anew for new connections; the last good addresses stay while no name server answers."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import Nobody
from strangler_gateway.upstream.connections.host_names import FRESH_S, PATIENCE_S, Addresses, HostNames, look_up

SOON_S = 0.02
"""`timeout_s` of a connection that waits for next to nothing."""
LONG_S = 60.0
NOT_TAKING = "255.255.255.255"
"""No connection leads to it; the system says so at once."""
AWAY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_SUCH_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class NameServer:
    """Answers in the thread that asks; `silent`: not before `speak`."""

    def __init__(self) -> None:
        self.answers: dict[str, Addresses | Exception] = {"shop": ("192.0.2.1",), "account": ("192.0.2.2",)}
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.now = 0.0
        self._speaks = threading.Event()

    def find(self, host: str) -> Addresses:
        self.asked.append(host)
        if host in self.silent:
            self._speaks.wait(LONG_S)
        answer = self.answers[host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def speak(self) -> None:
        self._speaks.set()

    def becomes_old(self) -> None:
        """What is known is no longer fresh."""
        self.now += FRESH_S


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.speak()


@pytest.fixture
def names(server: NameServer) -> HostNames:
    return HostNames(server.find, lambda: server.now)


async def test_connections_that_are_opened_together_ask_once(server: NameServer, names: HostNames) -> None:
    found = await asyncio.gather(*[names.addresses("shop", LONG_S) for _ in range(5)])
    assert (found, server.asked) == ([("192.0.2.1",)] * 5, ["shop"])
    await names.addresses("shop", LONG_S)
    assert server.asked == ["shop"]


async def test_a_name_that_has_moved_is_followed(server: NameServer, names: HostNames) -> None:
    await names.addresses("shop", LONG_S)
    server.answers["shop"] = ("192.0.2.9", "192.0.2.1")
    server.becomes_old()
    assert await names.addresses("shop", LONG_S) == ("192.0.2.9", "192.0.2.1")


async def test_while_no_name_server_answers_known_addresses_are_used(
    server: NameServer, names: HostNames, caplog: pytest.LogCaptureFixture
) -> None:
    await names.addresses("shop", LONG_S)
    server.answers["shop"] = AWAY
    for _ in range(3):
        server.becomes_old()
        assert await names.addresses("shop", LONG_S) == ("192.0.2.1",)
    server.answers["shop"] = ("192.0.2.9",)
    assert await names.addresses("shop", LONG_S) == ("192.0.2.9",)
    assert [
        record.getMessage().partition(":")[0] for record in caplog.records if record.levelno == logging.WARNING
    ] == [
        "shop cannot be looked up",
        "shop can be looked up again",
    ]


async def test_a_silent_name_server_is_not_waited_for_and_not_asked_twice(server: NameServer, names: HostNames) -> None:
    await names.addresses("shop", LONG_S)
    server.silent.add("shop")
    server.becomes_old()
    assert await names.addresses("shop", SOON_S) == ("192.0.2.1",)
    server.now += PATIENCE_S
    assert await names.addresses("shop", LONG_S) == ("192.0.2.1",)
    async with asyncio.timeout(LONG_S):
        while len(server.asked) < 2:  # its thread may be slow to begin
            await asyncio.sleep(0.001)
    assert server.asked == ["shop", "shop"]


async def test_a_late_answer_counts(server: NameServer, names: HostNames) -> None:
    await names.addresses("shop", LONG_S)
    server.silent.add("shop")
    server.answers["shop"] = ("192.0.2.9",)
    server.becomes_old()
    await names.addresses("shop", SOON_S)
    server.speak()
    async with asyncio.timeout(LONG_S):
        while await names.addresses("shop", SOON_S) != ("192.0.2.9",):
            await asyncio.sleep(0.001)
    assert server.asked == ["shop", "shop"]


async def test_a_silent_name_holds_up_no_other(server: NameServer, names: HostNames) -> None:
    server.silent.update(f"silent-{number}" for number in range(40))
    waiting = [asyncio.create_task(names.addresses(host, LONG_S)) for host in server.silent]
    async with asyncio.timeout(LONG_S):
        assert await names.addresses("account", LONG_S) == ("192.0.2.2",)
    for task in waiting:
        task.cancel()


async def test_a_name_that_does_not_exist_is_an_error_and_forgotten(server: NameServer, names: HostNames) -> None:
    await names.addresses("shop", LONG_S)
    for answer in (NO_SUCH_NAME, AWAY):
        server.answers["shop"] = answer
        server.becomes_old()
        with pytest.raises(socket.gaierror, match=str(answer.strerror)):
            await names.addresses("shop", LONG_S)


async def test_what_is_no_name_at_all_is_an_error(server: NameServer) -> None:
    with pytest.raises(UnicodeError):
        await HostNames(look_up).addresses("a" * 64 + ".example", LONG_S)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
async def test_nobody_is_asked_about_an_address(host: str, server: NameServer, names: HostNames) -> None:
    assert (await names.addresses(host, LONG_S), server.asked) == ((host,), [])


async def test_the_system_is_asked() -> None:
    assert set(await HostNames().addresses("localhost", LONG_S)) <= {"127.0.0.1", "::1"}


class Status(Nobody):
    """Waits for the end of a call."""

    def __init__(self) -> None:
        self.over: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def on_end(self, trailers: object) -> None:
        self.over.set_result("answered")

    def on_error(self, error: Exception) -> None:
        self.over.set_result(error)


async def test_calls_go_on_while_no_name_server_answers_and_each_address_is_tried(
    server: NameServer, names: HostNames
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        balancer = Balancer(Service("shop", "http", "shop", port), time.monotonic, 65536, WriteBatch(), names=names)
        server.answers["shop"] = (NOT_TAKING, "127.0.0.1")
        for _ in range(2):
            sink = Status()
            balancer.send(sink, b"POST", b"/", b"POST / HTTP/1.1\r\nHost: shop\r\n\r\n", complete=True)
            assert await asyncio.wait_for(sink.over, LONG_S) == "answered"
            server.answers["shop"] = AWAY
            server.becomes_old()
        balancer.close()
    assert server.asked == ["shop", "shop"]
