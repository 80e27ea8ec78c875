"""A port is had by one process, and from the first moment on."""

import socket

import pytest

from strangler_gateway.server.listener import listen


def test_a_port_is_taken_at_once_and_the_second_is_told() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*choose another port"):
            listen("127.0.0.1", port)


def test_who_only_bound_the_port_cannot_listen_on_it_afterwards() -> None:
    with socket.socket() as early:
        early.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        early.bind(("127.0.0.1", 0))
        with listen("127.0.0.1", early.getsockname()[1]), pytest.raises(OSError, match="in use"):
            early.listen()


def test_a_port_is_had_again_while_its_connections_linger() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            first.accept()[0].close()  # who closes first keeps the connection in TIME_WAIT
            client.recv(1)
    listen("127.0.0.1", port).close()
