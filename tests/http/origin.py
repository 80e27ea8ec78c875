"""U: the upstream, one listener whose every byte a test scripts."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.http import lint
from tests.http.message import Fields, Head, read_chunked, read_head
from tests.http.stream import DEADLINE_S, Closed, Stream, eventually


@dataclass
class Received(Head):
    """A request as it arrived: on which connection, and as its how-manieth."""

    connection: int = 0
    nth: int = 1
    body: bytes | None = None
    trailers: Fields = field(default_factory=list)

    @property
    def method(self) -> bytes:
        return self.start.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]


class Call:
    """A request at the upstream: its head is read, the rest is up to the handler."""

    def __init__(self, stream: Stream, request: Received, ending: set[Stream]) -> None:
        self._ending = ending
        self.stream = stream
        self.request = request
        self.send = stream.send
        self.open = True

    def body(self) -> bytes:
        """Reads the whole body, to the letter. Raises Closed where it is cut."""
        if self.request.body is None:
            self.request.body, self.request.trailers = self._read_body()
        return self.request.body

    def _read_body(self) -> tuple[bytes, Fields]:
        if self.request.get(b"transfer-encoding") is not None:
            return read_chunked(self.stream)
        return self.stream.exactly(int(self.request.get(b"content-length") or 0)), []

    def reply(self, raw: bytes) -> None:
        """Reads the body, then sends."""
        self.body()
        self.send(raw)

    def close(self) -> None:
        self.open = False
        self.stream.close()

    def reset(self) -> None:
        self.open = False
        self.stream.reset()

    def end(self) -> None:
        """Closes, and stays until the gateway has noticed: it may hold the connection for a reusable one."""
        self.open = False
        self._ending.add(self.stream)
        self.stream.finish()
        with contextlib.suppress(TimeoutError):
            self.stream.rest()
        self.stream.close()
        self._ending.discard(self.stream)

    def gone(self, within_s: float = DEADLINE_S) -> bool:
        """Whether the gateway leaves within the time, having sent nothing more."""
        return self.stream.ends(within_s)


Handler = Callable[[Call], None]


def replying(raw: bytes, close: bool = False) -> Handler:
    """Answers each request with these bytes."""

    def handle(call: Call) -> None:
        call.reply(raw)
        if close:
            call.end()

    return handle


class Watch:
    """A handler that sends something and then waits for the gateway to leave; `rest` is what still came."""

    def __init__(self, first: bytes = b"", read_body: bool = True) -> None:
        self.first = first
        self.read_body = read_body
        self.seen = threading.Event()
        self.left = threading.Event()
        self.rest = b""

    def __call__(self, call: Call) -> None:
        if self.read_body:
            call.body()
        call.stream.send_if_open(self.first)
        self.seen.set()
        self.rest = call.stream.rest()
        self.left.set()
        call.close()


class Script:
    """What the upstream does during one test, and what it saw: requests, faults of the gateway, requests cut short."""

    def __init__(self, origin: "Origin") -> None:
        self.port = origin.port
        self.origin = origin
        self.requests: list[Received] = []
        self.faults: list[AssertionError] = []
        self.cut: list[BaseException] = []
        self.handler: Handler = replying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.lints = True

    def answers(self, answer: bytes | Handler, close: bool = False) -> None:
        """Sets what every request gets from now on."""
        self.handler = replying(answer, close) if isinstance(answer, bytes) else answer

    @property
    def only(self) -> Received:
        """The one request that there was."""
        assert len(self.requests) == 1, f"wanted one request, seen {[r.raw for r in self.requests]}"
        return self.requests[0]

    def saw(self, count: int, within_s: float = DEADLINE_S) -> bool:
        """Whether so many requests arrive within the time."""
        return eventually(lambda: len(self.requests) >= count, within_s)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits for what a handler brings about."""
        assert eventually(condition) or self.faults, "the upstream's handler did not get there"

    def settle(self) -> None:
        """Waits for connections that are being closed, so that no later test is sent over one."""
        assert eventually(lambda: not self.origin.ending), "the gateway keeps what its upstream has closed"

    def fresh(self) -> None:
        """Ends all idle connections and waits until the gateway has let go of them, so that none is reused."""
        self.origin.end_idle()


class Origin:
    """The listener; connections live as long as the gateway keeps them in its pool."""

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self.listener = listener
        self.tls = tls
        name = listener.getsockname()
        self.port: int = name[1] if isinstance(name, tuple) else 0
        self.connections = 0
        self.asked_for: list[str | None] = []
        self.live: set[Stream] = set()
        self.idle: set[Stream] = set()
        self.ending: set[Stream] = set()
        self.script = Script(self)
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self) -> Script:
        """A new test begins."""
        self.script = Script(self)
        return self.script

    def close(self) -> None:
        """Stops listening; connections end with the gateways."""
        self.listener.close()

    def end_idle(self) -> None:
        """Also what is about to be idle: its handler has answered, and has not come back yet."""
        assert eventually(self._finish_idle), "the gateway keeps connections that its upstream has closed"

    def _finish_idle(self) -> bool:
        """Half-closes what is idle by now; whether nothing lives any more."""
        for stream in list(self.idle):
            stream.finish()
        return not self.live

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            stream = Stream(self.tls.wrap_socket(sock, server_side=True) if self.tls else sock)
        except OSError:
            sock.close()
            return
        self.live.add(stream)
        nth = 1
        while self._await(stream) and self._serve_one(stream, number, nth):
            nth += 1
        stream.close()
        self.live.discard(stream)

    def _await(self, stream: Stream) -> bool:
        """Whether another request begins; a connection may stay idle as long as it likes."""
        self.idle.add(stream)
        try:
            stream.socket.settimeout(None)
            return bool(stream.buffer) or stream.fill()
        except OSError:
            return False
        finally:
            self.idle.discard(stream)
            with contextlib.suppress(OSError):
                stream.socket.settimeout(DEADLINE_S)

    def _serve_one(self, stream: Stream, number: int, nth: int) -> bool:
        script = self.script
        try:
            head = read_head(stream)
            call = Call(stream, Received(head.start, head.fields, head.raw, number, nth), self.ending)
            script.requests.append(call.request)
            if script.lints:
                lint.request(call.request)
            script.handler(call)
            if call.open:
                call.body()
            return call.open
        except (Closed, OSError) as exc:
            script.cut.append(exc)
        except AssertionError as exc:
            script.faults.append(exc)
        return False


def listen() -> socket.socket:
    """A listening socket on a free port of the loopback."""
    return socket.create_server(("127.0.0.1", 0), backlog=256)
