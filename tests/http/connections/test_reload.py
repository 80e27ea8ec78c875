"""A new routes.yaml under traffic: nothing under way is dropped, the next request goes by it (gateway.md S2, §4.5)."""

import itertools
import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.http.conftest import Start
from tests.http.frames import TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import chunk, get, message, ok, post
from tests.http.origin import Call, Script
from tests.http.stream import DEADLINE_S, eventually

TABLE = """
version: 1
services:
  origin: {{url: "http://127.0.0.1:${{ORIGIN_PORT}}{base}"}}
routes:
  - {{id: all, match: {{path: "/{{rest...}}"}}, legacy: origin}}
"""


class Routes:
    """A routes.yaml that tests replace while it is served."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count()
        self.base = self.move()

    def write(self, text: str) -> None:
        """Replaces the file at once, as editors and deployments do."""
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.path)

    def move(self) -> bytes:
        """Another table: requests reach the upstream under another base path, which is returned."""
        self.base = b"/table-%d" % next(self._numbers)
        self.write(TABLE.format(base=self.base.decode()))
        return self.base


@pytest.fixture(scope="session")
def served_file(tmp_path_factory: pytest.TempPathFactory) -> Routes:
    return Routes(tmp_path_factory.mktemp("routes") / "routes.yaml")


@pytest.fixture
def reloading(share: Start, served_file: Routes) -> GatewayProcess:
    gateway = share("reloading", routes=served_file.path)
    gateway.may_complain = True
    return gateway


@pytest.fixture
def routes(reloading: GatewayProcess, origin: Script, served_file: Routes) -> Routes:
    """The file of the gateway, which serves a table of this test alone."""
    base = served_file.move()
    assert eventually(partial(serves, reloading, origin, base))
    return served_file


def serves(gateway: GatewayProcess, origin: Script, base: bytes) -> bool:
    """Whether a request now reaches the upstream under this base path."""
    client = gateway.connect()
    client.ask(get(b"/probe"))
    client.close()
    return origin.requests[-1].target == base + b"/probe"


def reached(origin: Script, target: bytes) -> bool:
    """Whether a request of late had this target."""
    return any(request.target == target for request in origin.requests[-50:])


@pytest.mark.parametrize("is_told", [False, True], ids=["by itself", "at a hangup signal"])
def test_a_changed_file_is_served_from_the_next_request_on(
    reloading: GatewayProcess, origin: Script, routes: Routes, is_told: bool
) -> None:
    base = routes.move()
    if is_told:
        reloading.process.send_signal(signal.SIGHUP)
    assert eventually(partial(serves, reloading, origin, base))


@pytest.mark.parametrize(
    "text", ["", "version: 1\nservices:", "not: [valid", "\0\0\0", TABLE.format(base="")[:90], "version: 2\n", None]
)
def test_a_faulty_or_missing_file_leaves_the_last_good_table_serving(
    reloading: GatewayProcess, origin: Script, routes: Routes, text: str | None
) -> None:
    routes.path.unlink() if text is None else routes.write(text)
    reloading.process.send_signal(signal.SIGHUP)
    for _ in range(20):
        assert serves(reloading, origin, routes.base)
    assert eventually(partial(serves, reloading, origin, routes.move()))


def test_what_is_under_way_survives_a_reload_S2(reloading: GatewayProcess, origin: Script, routes: Routes) -> None:
    proceed = threading.Event()

    def handle(call: Call) -> None:
        if call.request.target.endswith(b"/ws"):
            call.send(accepted())
            call.send(read_frame(call.stream).encode())
            call.close()
        elif call.request.target.endswith(b"/download"):
            call.reply(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked") + chunk(b"before "))
            proceed.wait(DEADLINE_S)
            call.send(chunk(b"after") + b"0\r\n\r\n")
        else:
            call.reply(ok(body=call.body()))

    origin.answers(handle)
    socket, download, upload = (reloading.connect() for _ in range(3))
    assert socket.ask(handshake()).status == 101
    download.send(get(b"/download"))
    assert download.head().status == 200
    upload.send(post(b"/upload", body=b"one two")[:-3])
    assert eventually(lambda: origin.requests[-1].target.endswith(b"/upload"))
    assert eventually(partial(serves, reloading, origin, routes.move()))
    proceed.set()
    upload.send(b"two")
    assert upload.answer().body == b"one two"
    assert b"after" in download.until(b"0\r\n\r\n")
    socket.send(Frame(TEXT, b"still here").encode())
    assert read_frame(socket).payload == b"still here"


def test_no_request_is_lost_while_the_table_changes(reloading: GatewayProcess, origin: Script, routes: Routes) -> None:
    stop = threading.Event()
    seen: list[int] = []

    def call_on() -> None:
        client = reloading.connect()
        while not stop.is_set():
            seen.append(client.ask(get(b"/probe")).status)

    callers = [threading.Thread(target=call_on, daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(5):
        base = routes.move()
        reloading.process.send_signal(signal.SIGHUP)
        assert eventually(partial(reached, origin, base + b"/probe"))
    stop.set()
    for caller in callers:
        caller.join(DEADLINE_S)
    assert set(seen) == {200}
    assert len(seen) > 20


def test_a_hangup_signal_at_any_time_does_not_end_it(start: Start, served_file: Routes, origin: Script) -> None:
    served_file.move()  # another test may have removed it
    gateway = start(routes=served_file.path)
    gateway.process.send_signal(signal.SIGHUP)
    assert gateway.connect().ask(get()).status == 200
    assert gateway.alive
    gateway.stop()


def test_a_connection_that_repeats_itself_is_served_by_the_new_table_too(
    reloading: GatewayProcess, origin: Script, routes: Routes
) -> None:
    client, raw = reloading.connect(), get(b"/", b"X-Member: mallory")
    for _ in range(3):
        client.ask(raw)
        assert origin.requests[-1].get(b"x-member") == b"mallory"
    text = routes.path.read_text(encoding="utf-8")
    routes.write(text.replace("version: 1", "version: 1\nidentity_headers: [X-Member]"))
    reloading.process.send_signal(signal.SIGHUP)

    def dropped() -> bool:
        client.ask(raw)
        return not origin.requests[-1].all(b"x-member")

    assert eventually(dropped)
