"""TLS on both sides, and Unix sockets (RFC 9110 §4.2.2, §4.3.4; issue, part 2)."""

import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.certificates import Authority, Pair
from tests.http.client import Client, connect_tls
from tests.http.conftest import Start
from tests.http.frames import TEXT, Frame, accepted, handshake, read_frame
from tests.http.gateway_process import GatewayProcess
from tests.http.message import Truncated, get, message, ok, post
from tests.http.origin import Call, Origin, Script, Watch, listen
from tests.http.stream import DEADLINE_S, eventually


def server_context(pair: Pair, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@pytest.fixture(scope="session")
def secure_upstream(authority: Authority) -> Iterator[Origin]:
    """Shows a certificate for origin.example alone, and remembers the names that it was asked for."""
    context = server_context(authority.issue("origin.example"))
    origin = Origin(listen(), context)
    context.sni_callback = lambda sock, name, ctx: origin.asked_for.append(name)
    yield origin
    origin.close()


@pytest.fixture(scope="session")
def mutual_upstream(authority: Authority) -> Iterator[Origin]:
    """Talks only to who shows a certificate of the same CA."""
    origin = Origin(listen(), server_context(authority.issue("origin.example"), authority.file))
    yield origin
    origin.close()


@pytest.fixture(scope="session")
def plain_upstream() -> Iterator[int]:
    """The port of something that greets in plain text."""

    def greet(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    sock.sendall(b"220 ready\r\n")
                    sock.recv(1 << 16)

    with listen() as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def unix_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path_factory.mktemp("unix") / "s"))
    listener.listen(64)
    origin = Origin(listener)
    yield origin
    origin.close()


@pytest.fixture(scope="session")
def shown(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The certificate that the gateway shows to clients; a test may replace its files."""
    pair = authority.issue("shop.example")
    directory = tmp_path_factory.mktemp("shown")
    return Pair(Path(shutil.copy(pair.cert, directory / "c")), Path(shutil.copy(pair.key, directory / "k")))


@pytest.fixture(scope="session")
def mine(authority: Authority) -> Pair:
    """The certificate that the gateway shows to upstreams."""
    return authority.issue("gateway.example")


@pytest.fixture
def tls_gateway(
    share: Start, mine: Pair, shown: Pair,
    secure_upstream: Origin, mutual_upstream: Origin, unix_upstream: Origin, plain_upstream: int,
) -> GatewayProcess:  # fmt: skip
    return share(
        "tls",
        "--tls-cert", str(shown.cert), "--tls-key", str(shown.key),
        routes=Path(__file__).with_name("routes_tls.yaml"),
        PLAIN_PORT=str(plain_upstream), SECURE_PORT=str(secure_upstream.port), MUTUAL_PORT=str(mutual_upstream.port),
        SOCKET_FILE=str(unix_upstream.listener.getsockname()), CERT_FILE=str(mine.cert), KEY_FILE=str(mine.key),
    )  # fmt: skip


@pytest.fixture
def client(tls_gateway: GatewayProcess, authority: Authority) -> Iterator[Client]:
    client = connect_tls(tls_gateway.port, authority.file)
    yield client
    client.close()


@pytest.fixture
def secure(secure_upstream: Origin) -> Script:
    return secure_upstream.begin()


def test_a_client_is_served_over_tls_9110_4_2_2(client: Client, origin: Script) -> None:
    origin.answers(ok(b"Location: http://127.0.0.1:%d/b" % origin.port))
    answer = client.ask(get())
    assert (answer.body, answer.get(b"location")) == (b"ok", b"https://shop.example/b")
    assert origin.only.get(b"x-forwarded-proto") == b"https"


def test_pipelining_and_bodies_work_over_tls_9112_9_3(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.reply(ok(body=call.body())))
    client.send(post(body=b"one") + post(body=b"two" * 100_000))
    assert [client.answer().body for _ in range(2)] == [b"one", b"two" * 100_000]


def test_plain_http_on_the_tls_port_does_no_harm_9110_4_2_2(tls_gateway: GatewayProcess, origin: Script) -> None:
    plain = tls_gateway.connect()
    plain.send(get())
    assert b"200 OK" not in plain.rest()
    assert not origin.requests


def test_a_cut_answer_is_no_clean_end_over_tls_9112_9_8(client: Client, origin: Script) -> None:
    origin.answers(message(b"HTTP/1.1 200 OK", b"Content-Length: 100", body=b"part"), close=True)
    with pytest.raises(Truncated):
        client.ask(get())


def test_a_refusal_over_tls_is_answered_and_closed_F15(client: Client, origin: Script) -> None:
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert client.answer().status == 400
    assert client.ends()


def test_a_client_that_leaves_over_tls_ends_the_upstream_request_C2(client: Client, origin: Script) -> None:
    watch = Watch()
    origin.answers(watch)
    client.send(get())
    assert watch.seen.wait(DEADLINE_S)
    client.close()
    assert watch.left.wait(DEADLINE_S)


@pytest.mark.walk
def test_a_new_certificate_is_shown_without_a_restart(
    tls_gateway: GatewayProcess, authority: Authority, shown: Pair
) -> None:
    def number() -> int:
        client = connect_tls(tls_gateway.port, authority.file)
        assert isinstance(client.socket, ssl.SSLSocket)
        certificate = client.socket.getpeercert() or {}
        client.close()
        return int(str(certificate["serialNumber"]), 16)

    before = number()
    other = authority.issue("shop.example")
    tls_gateway.may_complain = True  # of a key that does not fit, between the two copies
    shutil.copy(other.key, shown.key)
    shutil.copy(other.cert, shown.cert)
    assert eventually(lambda: number() != before)
    tls_gateway.logged("TLS certificate reloaded")
    assert tls_gateway.complaints() == []
    tls_gateway.may_complain = False


def test_an_upstream_is_called_over_tls_by_its_name_9110_4_3_4(
    client: Client, secure: Script, secure_upstream: Origin
) -> None:
    assert client.ask(get(b"/verified/a")).body == b"ok"
    assert secure_upstream.asked_for[-1] == "origin.example"
    assert secure.only.target == b"/verified/a"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (b"/misnamed/a", b"tls_certificate_error"),
        (b"/mistrusted/a", b"tls_certificate_error"),
        (b"/plain/a", b"tls_protocol_error"),
        (b"/unknown/a", None),
        (b"/unix-away/a", None),
    ],
)
def test_an_upstream_that_cannot_be_trusted_or_spoken_to_is_502_9110_4_3_4(
    client: Client, secure: Script, mutual_upstream: Origin, path: bytes, error: bytes | None
) -> None:
    """Without a client certificate, `unknown` is shut out."""
    script = mutual_upstream.begin()
    answer = client.ask(post(path))
    assert (answer.status, answer.error) == (502, error or answer.error)
    assert answer.error
    assert not secure.requests + script.requests


def test_trust_is_as_it_is_configured(client: Client, secure: Script, mutual_upstream: Origin) -> None:
    """Verification can be switched off, and a client certificate is shown where there is one."""
    mutual_upstream.begin()
    assert client.ask(get(b"/unverified/a")).body == b"ok"
    assert client.ask(get(b"/known/a")).body == b"ok"


def test_a_redirect_of_a_tls_upstream_becomes_public_R10(
    client: Client, secure: Script, secure_upstream: Origin
) -> None:
    secure.answers(ok(b"Location: https://localhost:%d/b" % secure_upstream.port, status=b"302 Found"))
    assert client.ask(get(b"/verified/a")).get(b"location") == b"https://shop.example/b"


def test_large_bodies_pass_through_tls_on_both_sides(client: Client, secure: Script) -> None:
    body = bytes(range(256)) * 8000
    secure.answers(lambda call: call.reply(ok(body=call.body())))
    assert client.ask(post(b"/verified/a", body=body)).body == body


def test_a_unix_socket_is_an_upstream(client: Client, unix_upstream: Origin) -> None:
    script = unix_upstream.begin()
    assert client.ask(get(b"/unix/a?b")).body == b"ok"
    assert client.ask(get(b"/unix-based/a")).body == b"ok"
    assert [request.target for request in script.requests] == [b"/unix/a?b", b"/base/unix-based/a"]
    assert not script.faults


def test_a_websocket_passes_through_tls_on_both_sides_6455_3(client: Client, secure: Script) -> None:
    def handle(call: Call) -> None:
        call.send(accepted())
        call.send(read_frame(call.stream).encode())
        call.close()

    secure.answers(handle)
    assert client.ask(handshake(b"/verified/ws")).status == 101
    client.send(Frame(TEXT, b"hello").encode())
    assert read_frame(client).payload == b"hello"
