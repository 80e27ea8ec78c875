"""C: the client, a raw socket that reads responses to the letter and checks what holds for each of them."""

import socket
import ssl
from pathlib import Path

from tests.http import lint
from tests.http.message import Answer, Head, Truncated, parse_status, read_chunked, read_head
from tests.http.stream import DEADLINE_S, Closed, Stream

BODILESS = {204, 304}


class Client(Stream):
    """A connection to the gateway."""

    def answer(self, method: bytes = b"GET", version: bytes = b"1.1") -> Answer:
        """The next final response with its body. Raises Truncated where the body is cut, Closed before it."""
        answer = self.head(version)
        if method == b"HEAD" or answer.status in BODILESS or answer.status == 101:
            return answer
        try:
            self._read_body(answer)
        except Closed as exc:
            raise Truncated(answer, exc.seen) from exc
        return answer

    def head(self, version: bytes = b"1.1") -> Answer:
        """The next final response up to its body; interim responses are collected."""
        interim: list[Head] = []
        while True:
            head = read_head(self)
            status = parse_status(head)
            lint.response(head, status, version)
            if status >= 200 or status == 101:
                return Answer(head.start, head.fields, head.raw, status, interim=interim)
            interim.append(head)

    def interim(self) -> Head:
        """The next interim response."""
        head = read_head(self)
        assert parse_status(head) < 200, f"wanted an interim response, seen {head.raw!r}"
        lint.response(head, parse_status(head), b"1.1")
        return head

    def _read_body(self, answer: Answer) -> None:
        length = answer.get(b"content-length")
        if answer.get(b"transfer-encoding") is not None:
            answer.body, answer.trailers = read_chunked(self)
        elif length is not None:
            answer.body = self.exactly(int(length))
        else:
            assert b"close" in answer.options() or answer.raw.startswith(b"HTTP/1.0"), "unframed, yet kept open"
            answer.body = self.rest()

    def ask(self, raw: bytes, method: bytes = b"GET") -> Answer:
        """Sends a request and reads its answer."""
        self.send(raw)
        return self.answer(method)


def connect(port: int, receive_buffer: int | None = None, address: str = "127.0.0.1") -> Client:
    """A new connection; a small receive buffer makes a client that takes little."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(DEADLINE_S)
    try:
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Client(sock)


def connect_tls(port: int, ca_file: Path, server_name: str = "shop.example") -> Client:
    """A new connection over TLS that trusts one CA alone."""
    context = ssl.create_default_context(cafile=str(ca_file))
    sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
    return Client(context.wrap_socket(sock, server_hostname=server_name))
