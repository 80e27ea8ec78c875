"""What a lost connection had received is read first (B5): whole, without blocking, as fast as the client takes it."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import uvloop

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import Call, Nobody

UPGRADE = b"websocket"
COUNTED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n"
TO_THE_CLOSE = b"HTTP/1.1 403 Forbidden\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
BODY = b"x" * 100_000
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Taker(Nobody):
    """Takes an answer; a slow one pauses at every piece."""

    def __init__(self, is_slow: bool) -> None:
        self.is_slow = is_slow
        self.call: Call | None = None
        self.status = 0
        self.body = b""
        self.error: str | None = None
        self.over = asyncio.Event()
        self.paused = asyncio.Event()

    def on_head(self, head: ResponseHead) -> None:
        self.status = head.meaning.status

    def on_body(self, data: bytes) -> None:
        self.body += data
        if self.is_slow and self.call is not None:
            self.call.pause()
            self.paused.set()

    def on_end(self, trailers: Pairs) -> None:
        self.over.set()

    def on_error(self, error: UpstreamError) -> None:
        self.error = error.stage
        self.over.set()


async def early(answer: bytes, ends_first: bool = False, is_slow: bool = False, switched: bytes = b"") -> Taker:
    """The upstream answers and closes with the body unread; then the body is written, and only then is there a turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = Service("m", "http", "127.0.0.1", listener.getsockname()[1])
        balancer, taker = Balancer(service, time.monotonic, 65536, WriteBatch()), Taker(is_slow)
        head = b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n"
        taker.call = call = balancer.send(taker, b"POST", b"/", head, complete=bool(switched), upgrade=UPGRADE)
        upstream, _ = await asyncio.get_running_loop().run_in_executor(None, listener.accept)
        with upstream:
            while call.connection is None:
                await asyncio.sleep(0)
            upstream.sendall(switched)
            while switched and not (taker.status or taker.over.is_set()):
                await asyncio.sleep(0)
            await asyncio.get_running_loop().run_in_executor(None, upstream.recv, 20)
            upstream.sendall(answer)
            if ends_first:
                upstream.shutdown(socket.SHUT_WR)
        call.write(b"x" * 1_000_000)
        await asyncio.wait_for(taker.paused.wait() if is_slow else taker.over.wait(), 60)
        return taker


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Nothing that was opened on it stays open."""
    new_loop: Callable[[], asyncio.AbstractEventLoop] = request.param
    loop = new_loop()
    loop.run_until_complete(asyncio.sleep(0))
    before = sockets()
    yield loop
    loop.run_until_complete(asyncio.sleep(0))
    left = sockets() - before
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert not left


def sockets() -> set[str]:
    """The sockets of this process."""
    open_now = map(os.readlink, [f"/proc/self/fd/{n}" for n in range(256) if os.path.lexists(f"/proc/self/fd/{n}")])
    return {name for name in open_now if name.startswith("socket:")}


def test_an_answer_that_came_before_the_reset_is_whole_b5(loop: asyncio.AbstractEventLoop) -> None:
    taker = loop.run_until_complete(early(COUNTED + BODY))
    assert (taker.status, len(taker.body), taker.error) == (403, len(BODY), None)


def test_a_client_that_takes_it_slowly_gets_it_piece_by_piece_c7(loop: asyncio.AbstractEventLoop) -> None:
    async def slowly() -> Taker:
        taker = await early(COUNTED + BODY, is_slow=True)
        assert taker.call is not None
        for _ in range(100):
            await asyncio.sleep(0)
        assert 0 < len(taker.body) < len(BODY), "more was read than the client takes"
        while not taker.over.is_set():
            taker.call.resume()
            await asyncio.sleep(0)
        return taker

    taker = loop.run_until_complete(slowly())
    assert (len(taker.body), taker.error) == (len(BODY), None)


def test_a_client_that_leaves_meanwhile_leaves_nothing_open_c2(loop: asyncio.AbstractEventLoop) -> None:
    taker = loop.run_until_complete(early(COUNTED + BODY, is_slow=True))
    assert taker.call is not None
    taker.call.abort()


@pytest.mark.parametrize(("ends_first", "error"), [(True, None), (False, "body")], ids=["ended", "reset"])
def test_an_answer_up_to_the_close_is_whole_only_if_its_end_was_seen_9112_8(
    loop: asyncio.AbstractEventLoop, ends_first: bool, error: str | None
) -> None:
    taker = loop.run_until_complete(early(TO_THE_CLOSE + BODY, ends_first))
    assert (taker.status, len(taker.body), taker.error) == (403, len(BODY), error)


def test_nothing_is_read_of_a_lost_tunnel(loop: asyncio.AbstractEventLoop) -> None:
    taker = loop.run_until_complete(early(BODY, switched=SWITCHED))
    assert (taker.status, taker.body, taker.error) == (101, b"", "body")
