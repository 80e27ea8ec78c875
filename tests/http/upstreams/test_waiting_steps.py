"""A request whose identity has to be asked for: what comes from the client meanwhile (design.md §3)."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.frames import TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, chunk, get, message, ok, post, post_chunked
from tests.http.origin import Call, Origin, Script, listen
from tests.http.stream import DEADLINE_S

KEY = b"X-Api-Key: u1"
CHUNKED = message(b"POST /small/a HTTP/1.1", HOST, KEY, b"Transfer-Encoding: chunked")

NUMBER = itertools.count()
Leave = Callable[[Client], None]


class Authority:
    """Who establishes identity: answers when the test lets it."""

    def __init__(self, script: Script) -> None:
        self._key = b"X-Api-Key: u%d" % next(NUMBER)
        self.script = script
        self.go = threading.Event()
        self.answer = ok(b"Content-Type: application/json", body=b'{"id": "u1"}')
        script.lints = False
        script.answers(self._handle)

    def _handle(self, call: Call) -> None:
        assert self.go.wait(DEADLINE_S)
        call.reply(self.answer)

    def key(self, raw: bytes) -> bytes:
        """The request with a credential of this test alone: who asks for the same one waits for the same answer."""
        return raw.replace(KEY, self._key)

    def asked(self, times: int = 1) -> None:
        """Waits until it has been asked so often."""
        assert self.script.saw(times)


@pytest.fixture(scope="session")
def authority_listener() -> Iterator[Origin]:
    origin = Origin(listen())
    yield origin
    origin.close()


@pytest.fixture
def asking(share: Start, authority_listener: Origin) -> GatewayProcess:
    routes = Path(__file__).with_name("routes_waiting.yaml")
    return share("asking", routes=routes, IDENTITY_PORT=str(authority_listener.port))


@pytest.fixture
def identity(authority_listener: Origin) -> Iterator[Authority]:
    authority = Authority(authority_listener.begin())
    yield authority
    authority.go.set()


@pytest.fixture
def client(asking: GatewayProcess) -> Client:
    return asking.connect()


BODIES = [
    pytest.param(post(b"/", KEY, body=b"hello"), b"hello", id="counted"),
    pytest.param(post_chunked(b"hel", b"lo", lines=(KEY,)), b"hello", id="chunked"),
    pytest.param(post(b"/", KEY, body=b"x" * 300_000), b"x" * 300_000, id="large"),
    pytest.param(post(b"/", KEY, body=b""), b"", id="empty"),
]


@pytest.mark.parametrize(("raw", "body"), BODIES)
def test_a_body_that_arrives_while_identity_is_asked_for_is_forwarded_whole(
    client: Client, origin: Script, identity: Authority, raw: bytes, body: bytes
) -> None:
    sender = threading.Thread(target=client.send_if_open, args=(identity.key(raw),))
    sender.start()
    identity.asked()
    assert client.stays_silent(0.02)
    assert not origin.requests
    identity.go.set()
    assert client.answer().status == 200
    assert origin.only.body == body
    sender.join(DEADLINE_S)


def test_pipelined_requests_that_each_have_to_wait_keep_their_order_9112_9_3_2(
    client: Client, origin: Script, identity: Authority
) -> None:
    identity.go.set()
    origin.answers(lambda call: call.reply(ok(body=call.request.target)))
    client.send(identity.key(b"".join(get(b"/%d" % n, KEY) for n in range(10))))
    assert [client.answer().body for _ in range(10)] == [b"/%d" % n for n in range(10)]
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 5"))
    answer = client.ask(identity.key(message(b"HEAD / HTTP/1.1", HOST, KEY)), b"HEAD")
    assert (answer.get(b"content-length"), answer.error) == (b"5", None)


def test_a_request_is_not_read_faster_than_it_can_go_on_C7(client: Client, origin: Script, identity: Authority) -> None:
    client.send(identity.key(message(b"POST / HTTP/1.1", HOST, KEY, b"Content-Length: 500000000")))
    identity.asked()
    assert client.pour(b"x" * 65_536, 200_000_000) < 24_000_000


@pytest.mark.parametrize("leave", [Client.close, Client.reset], ids=["close", "reset"])
@pytest.mark.parametrize("raw", [get(b"/", KEY), post(b"/", KEY)[:-2], CHUNKED])
def test_a_client_that_leaves_meanwhile_starts_no_upstream_request_C2(
    asking: GatewayProcess, client: Client, origin: Script, identity: Authority, leave: Leave, raw: bytes
) -> None:
    client.send(identity.key(raw))
    identity.asked()
    leave(client)
    identity.go.set()
    assert asking.connect().ask(identity.key(get(b"/other", KEY))).status == 200
    assert [request.target for request in origin.requests if request.body is not None] == [b"/other"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"5\r\nhello\r\nXX\r\n\r\n", 400), (b"garbage", 400), (chunk(b"x" * 1001), 413), (chunk(b"x" * 600) * 2, 413)],
)
def test_a_body_that_turns_out_bad_meanwhile_reaches_nobody_F11(
    client: Client, origin: Script, identity: Authority, body: bytes, status: int, at_once: bool
) -> None:
    if at_once:
        client.send_if_open(identity.key(CHUNKED) + body)
    else:
        client.send(identity.key(CHUNKED))
        identity.asked()
        client.send_if_open(body)
    identity.go.set()
    answer = client.answer()
    assert (answer.status, answer.error is not None) == (status, True)
    assert client.ends()
    assert all(request.body is None for request in origin.requests)


def test_an_expectation_waits_for_the_identity_too_9110_10_1_1(
    client: Client, origin: Script, identity: Authority
) -> None:
    def handle(call: Call) -> None:
        call.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.reply(ok())

    origin.answers(handle)
    client.send(identity.key(message(b"POST / HTTP/1.1", HOST, KEY, b"Content-Length: 5", b"Expect: 100-continue")))
    identity.asked()
    assert client.stays_silent(0.05)
    identity.go.set()
    client.interim()
    client.send(b"hello")
    answer = client.answer()
    assert (answer.status, answer.interim) == (200, [])
    assert origin.only.body == b"hello"


def test_who_is_refused_is_so_without_a_100_and_without_the_upstream_9110_10_1_1(
    client: Client, origin: Script, identity: Authority
) -> None:
    identity.answer = ok(status=b"401 No")
    identity.go.set()
    client.send(
        identity.key(message(b"POST /members/a HTTP/1.1", HOST, KEY, b"Content-Length: 5", b"Expect: 100-continue"))
    )
    answer = client.answer()
    assert (answer.status, answer.error is not None, answer.interim) == (401, True, [])
    assert not origin.requests


def test_who_is_refused_behind_a_body_that_had_to_wait_may_ask_again_9112_9_3(
    client: Client, origin: Script, identity: Authority
) -> None:
    """The body is longer than what is held while a step waits: reading has paused, and goes on for the next request."""
    identity.answer = ok(status=b"401 No")
    client.send(identity.key(post(b"/members/a", KEY, body=b"x" * 66_000)))
    identity.asked()
    assert client.stays_silent(0.05)
    identity.go.set()
    assert client.answer().status == 401
    assert client.ask(identity.key(get(b"/members/b", KEY))).status == 401


def test_a_socket_waits_for_its_identity_before_its_101_S2(client: Client, origin: Script, identity: Authority) -> None:
    def handle(call: Call) -> None:
        call.send(accepted())
        call.send(read_frame(call.stream).encode())
        call.close()

    origin.answers(handle)
    client.send(identity.key(handshake(b"/ws", KEY)))
    identity.asked()
    assert client.stays_silent(0.02)
    identity.go.set()
    assert client.answer().status == 101
    client.send(Frame(TEXT, b"hello").encode())
    assert read_frame(client).payload == b"hello"


@pytest.mark.parametrize("faulty", [ok(status=b"500 Oops"), b"garbage\r\n\r\n", ok(body=b"no json")])
def test_an_identity_that_cannot_be_established_is_503_for_an_extracted_route(
    asking: GatewayProcess, client: Client, origin: Script, identity: Authority, faulty: bytes
) -> None:
    identity.answer = faulty
    identity.go.set()
    answer = client.ask(identity.key(get(b"/", KEY)))
    assert (answer.status, answer.error is not None) == (503, True)
    assert not origin.requests


def test_who_left_leaves_the_next_with_the_same_credential_unharmed(
    asking: GatewayProcess, client: Client, origin: Script, identity: Authority
) -> None:
    raw = identity.key(get(b"/", KEY))
    client.send(raw)
    identity.asked()
    client.close()
    waiting, later = asking.connect(), asking.connect()
    waiting.send(raw)
    assert waiting.stays_silent(0.02)
    identity.go.set()
    assert waiting.answer().status == 200
    assert later.ask(raw).status == 200
