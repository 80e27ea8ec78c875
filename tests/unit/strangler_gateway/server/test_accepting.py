"""Connections that wait behind one that the server has accepted."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from strangler_gateway.server.accepting import FastAccepting

CLIENTS = 200


class Greeting(asyncio.Protocol):
    """Says a word to each client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"come in")
        transport.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=CLIENTS) as bound:
        yield bound


@pytest.fixture
async def clients(listener: socket.socket) -> AsyncIterator[list[socket.socket]]:
    """All wait; none is accepted."""
    with ExitStack() as closing:
        made = [closing.enter_context(socket.create_connection(listener.getsockname())) for _ in range(CLIENTS)]
        for client in made:
            client.setblocking(False)
        yield made


async def test_all_that_wait_are_accepted_behind_one(listener: socket.socket, clients: list[socket.socket]) -> None:
    FastAccepting([listener], Greeting, None).more()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        assert [await loop.sock_recv(client, 7) for client in clients] == [b"come in"] * CLIENTS


async def test_none_is_accepted_once_it_has_ended(listener: socket.socket, clients: list[socket.socket]) -> None:
    accepting = FastAccepting([listener], Greeting, None)
    accepting.more()
    accepting.close()
    accepting.more()
    for _ in range(10):
        await asyncio.sleep(0)  # a turn of the loop
    for _ in clients:
        listener.accept()[0].close()  # BlockingIOError: it was accepted


async def test_a_listener_that_was_closed_is_no_error(listener: socket.socket) -> None:
    told = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    accepting = FastAccepting([listener], Greeting, None)
    accepting.more()
    listener.close()
    for _ in range(3):
        await asyncio.sleep(0)  # a turn of the loop
    assert told == []
