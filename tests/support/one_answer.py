"""A server that takes one request and sends the bytes that it was given."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

Received = list[bytes]
"""Head and body of the request."""


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, Received]]:
    """A server of one connection: its address, and what it received."""
    received: Received = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection, connection.makefile("rb") as sent:
                head = b"".join(iter(sent.readline, b"\r\n"))
                length = next((int(line[15:]) for line in head.splitlines() if line.startswith(b"Content-Length:")), 0)
                received.extend([head, sent.read(length)])
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", received
        thread.join()
