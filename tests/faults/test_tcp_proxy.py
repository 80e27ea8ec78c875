"""The proxy of the fault tests does what its fields say, one way or both."""

import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.support.system.tcp_proxy import TcpProxy

DEADLINE_S = 60


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """Before a server that echoes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        with TcpProxy(server.getsockname()[1]) as proxy:
            yield proxy
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(client,), daemon=True).start()


def _echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(4096):
                client.sendall(data)
        except OSError:
            return


def dialled(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S)


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


def echoes(client: socket.socket, data: bytes = b"hello") -> None:
    client.sendall(data)
    assert read(client, len(data)) == data


def hears_nothing(client: socket.socket) -> None:
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(DEADLINE_S)


def test_what_passes_is_kept_for_each_connection_and_way(proxy: TcpProxy) -> None:
    with dialled(proxy) as client:
        echoes(client)
    (seen,) = proxy.conversations
    assert (bytes(seen.up), bytes(seen.down)) == (b"hello", b"hello")
    assert proxy.up.passed == proxy.down.passed == 5


def test_what_passes_one_way_can_hold_the_other(proxy: TcpProxy) -> None:
    proxy.up.holds = (b"one", b"two"), proxy.down
    with dialled(proxy) as client, dialled(proxy) as other:
        for said in (b"two", b"one"):
            echoes(client, said)
        echoes(other, b"two")
        client.sendall(b"two")
        hears_nothing(client)
        proxy.heal()
        assert read(client, 3) == b"two"


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_connection_is_reset_after_so_many_bytes_once(proxy: TcpProxy, way: str) -> None:
    getattr(proxy, way).cut_after = 3
    with dialled(proxy) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            read(client, 100)
    assert getattr(proxy, way).passed == 3
    with dialled(proxy) as client:
        echoes(client, b"again")


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_held_way_passes_nothing_ends_nothing_and_goes_on_when_healed(proxy: TcpProxy, way: str) -> None:
    with dialled(proxy) as client:
        echoes(client, b"first")
        getattr(proxy, way).held = True
        client.sendall(b"hello")
        hears_nothing(client)
        assert proxy.connections == 1
        proxy.heal()
        assert read(client, 5) == b"hello"


def test_a_slow_way_keeps_its_pace(proxy: TcpProxy) -> None:
    proxy.down.bytes_per_s = 100
    with dialled(proxy) as client:
        begun = monotonic()
        client.sendall(b"x" * 50)
        assert read(client, 50) == b"x" * 50
        assert monotonic() - begun > 0.4


def test_all_connections_are_cut_and_new_ones_refused_until_healed(proxy: TcpProxy) -> None:
    with dialled(proxy) as client:
        echoes(client)
        proxy.refuses = True
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(5)
    with pytest.raises(ConnectionResetError), dialled(proxy) as client:  # in the middle of connecting, or after it
        client.recv(5)
    proxy.heal()
    with dialled(proxy) as client:
        echoes(client)


def test_a_url_is_led_through_it_with_everything_else_kept(proxy: TcpProxy) -> None:
    assert proxy.through("amqp://me:pw@broker:5672/v%2Fh?x=1") == f"amqp://me:pw@127.0.0.1:{proxy.port}/v%2Fh?x=1"
