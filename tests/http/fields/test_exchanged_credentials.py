"""A token that the monolith does not know is replaced by one of its own kind; nothing else changes (design.md §8)."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.http.client import Client
from tests.http.conftest import Start
from tests.http.frames import accepted, handshake
from tests.http.gateway_process import GatewayProcess
from tests.http.message import HOST, get, message, ok, post
from tests.http.origin import Call, Origin, Script, listen
from tests.unit.chassis.auth.forged import hmac_signed, unsigned

KEY = RSAKey.generate_key(2048)
NUMBER = itertools.count()
CREDENTIAL = b"the.monoliths.own"


def token(**changes: object) -> bytes:
    """Of the identity server, another one each time."""
    claims = {"iss": "https://id.example", "sub": "alice", "typ": "Bearer", "exp": int(time.time()) + 600}
    return jwt.encode({"alg": "RS256"}, {**claims, "jti": str(next(NUMBER)), **changes}, KEY, ["RS256"]).encode()


def bearer(value: bytes) -> bytes:
    return b"Authorization: Bearer " + value


def exchanged(credential: bytes = CREDENTIAL, life_s: float = 300.0) -> bytes:
    document = {"credential": credential.decode(), "expiresAt": time.time() + life_s}
    return ok(b"Content-Type: application/json", body=json.dumps(document).encode())


@pytest.fixture(scope="session")
def account_listener() -> Iterator[Origin]:
    origin = Origin(listen())
    yield origin
    origin.close()


@pytest.fixture
def account(account_listener: Origin) -> Script:
    """The service that exchanges."""
    script = account_listener.begin()
    script.lints = False
    script.answers(exchanged())
    return script


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "id.pem"
    path.write_bytes(KEY.as_pem(private=False))
    return path


@pytest.fixture
def exchanging(share: Start, account: Script, key_file: Path) -> GatewayProcess:
    routes = Path(__file__).with_name("routes_exchange.yaml")
    return share("exchange", routes=routes, EXCHANGE_PORT=str(account.port), KEY_FILE=str(key_file))


@pytest.fixture
def client(exchanging: GatewayProcess) -> Client:
    return exchanging.connect()


def test_the_credential_is_replaced_in_its_place_and_all_else_goes_on_as_sent(
    client: Client, origin: Script, account: Script
) -> None:
    def sent(value: bytes) -> bytes:
        return get(b"/a?x=%2F", b"x-B:  1", b"aUTHORIZATION: Bearer " + value, b"X-a: \xff", b"x-b: 2")

    mine = token()
    for value in (b"opaque", mine, mine):
        assert client.ask(sent(value)).status == 200
    before, first, again = [
        [pair for pair in request.fields if pair[0] != b"X-Request-Id"] for request in origin.requests
    ]
    assert (b"aUTHORIZATION", b"Bearer opaque") in before
    assert (
        first
        == again
        == [(name, b"Bearer " + CREDENTIAL) if name == b"aUTHORIZATION" else (name, value) for name, value in before]
    )
    asked = account.only
    assert (asked.method, asked.target) == (b"POST", b"/internal/credentials")
    assert json.loads(asked.body or b"") == {"token": mine.decode()}
    assert (asked.get(b"authorization") or b"").count(b".") == 2


REQUESTS: dict[str, Callable[[bytes], bytes]] = {
    "GET": lambda line: get(b"/", line),
    "HEAD": lambda line: message(b"HEAD / HTTP/1.1", HOST, line),
    "a body that comes while the credential is asked for": lambda line: post(b"/", line, body=b"x" * 100_000),
    "fail-over from a service that is away": lambda line: get(b"/moving/a", line),
    "two credentials": lambda line: get(b"/", line, b"Authorization: Bearer second"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_way_to_the_monolith_gets_it(client: Client, origin: Script, name: str) -> None:
    raw = REQUESTS[name](bearer(token()))
    threading.Thread(target=client.send_if_open, args=(raw,)).start()
    assert client.answer(b"HEAD" if name == "HEAD" else b"GET").status == 200
    assert origin.only.all(b"authorization") == [b"Bearer " + CREDENTIAL]


def test_a_handshake_gets_it_too(client: Client, origin: Script) -> None:
    origin.answers(lambda call: call.send(accepted()))
    client.send(handshake(b"/ws", bearer(token())))
    assert client.head().start.startswith(b"HTTP/1.1 101")
    assert origin.only.get(b"authorization") == b"Bearer " + CREDENTIAL


UNTOUCHED: dict[str, Callable[[], bytes]] = {
    "nobody's": lambda: b"X-None: 1",
    "opaque": lambda: bearer(b"opaque"),
    "another scheme": lambda: b"Authorization: Basic YWxpY2U6c2VjcmV0",
    "the monolith's own": lambda: bearer(hmac_signed({"iss": "https://id.example", "sub": "alice"}, b"secret")),
    "another issuer's": lambda: bearer(token(iss="https://other.example")),
    "unsigned": lambda: bearer(unsigned({"iss": "https://id.example", "sub": "alice", "exp": 2**40})),
    "expired": lambda: bearer(token(exp=1)),
    "an ID token": lambda: bearer(token(typ="ID")),
    "of 60 KiB": lambda: bearer(b"a" * 60_000),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_any_other_credential_goes_on_as_it_is_and_nobody_is_asked(
    client: Client, origin: Script, account: Script, name: str
) -> None:
    line = UNTOUCHED[name]()
    for _ in range(2):
        assert client.ask(get(b"/", line)).status == 200
    said = [value for value in (line.partition(b": ")[2],) if line.startswith(b"Authorization")]
    assert [request.all(b"authorization") for request in origin.requests] == [said, said]
    assert not account.requests


def test_a_service_that_knows_the_tokens_gets_them_as_they_are(client: Client, origin: Script, account: Script) -> None:
    mine = token()
    assert client.ask(get(b"/plain/a", bearer(mine))).status == 200
    assert (origin.only.get(b"authorization"), account.requests) == (b"Bearer " + mine, [])


def test_a_refused_token_goes_on_as_it_is_and_is_asked_for_again(
    client: Client, origin: Script, account: Script
) -> None:
    mine = token()
    account.answers(ok(status=b"403 Forbidden"))
    assert client.ask(get(b"/", bearer(mine))).status == 200
    account.answers(exchanged())
    assert client.ask(get(b"/", bearer(mine))).status == 200
    assert [request.get(b"authorization") for request in origin.requests] == [
        b"Bearer " + mine,
        b"Bearer " + CREDENTIAL,
    ]


AWAY: dict[str, bytes | Callable[[Call], None]] = {
    "an error": ok(status=b"500 Oops"),
    "the gateway refused": ok(status=b"401 Unauthorized"),
    "not there": ok(status=b"404 Not Found"),
    "no JSON": ok(body=b"<html>"),
    "no credential": ok(body=b"{}"),
    "a credential that would be two lines": exchanged(b"a\r\nX-Admin: 1"),
    "a credential without end": ok(body=b'{"credential": "a"}'),
    "an end that is a text": ok(body=b'{"credential": "a", "expiresAt": "soon"}'),
    "more than is read": ok(body=b" " * 70_000),
    "hung up": lambda call: call.close(),
}


@pytest.mark.parametrize("name", AWAY)
@pytest.mark.parametrize("target", [b"/", b"/moving/a"])
def test_without_an_answer_the_monolith_is_not_asked_to_refuse(
    client: Client, origin: Script, account: Script, name: str, target: bytes
) -> None:
    account.answers(AWAY[name])
    answer = client.ask(get(target, bearer(token())))
    assert (answer.status, answer.get(b"retry-after"), origin.requests) == (503, b"5", [])


def test_all_who_come_with_one_token_at_once_wait_for_one_answer(
    exchanging: GatewayProcess, origin: Script, account: Script
) -> None:
    go = threading.Event()

    def later(call: Call) -> None:
        assert go.wait(10)
        call.reply(exchanged())

    account.answers(later)
    raw = get(b"/", bearer(token()))
    clients = [exchanging.connect() for _ in range(10)]
    for client in clients:
        client.send(raw)
    assert account.saw(1)
    clients.pop().close()
    go.set()
    assert {client.answer().status for client in clients} == {200}
    assert account.only


def test_a_credential_that_the_monolith_refuses_is_not_used_again(
    client: Client, origin: Script, account: Script
) -> None:
    mine = get(b"/", bearer(token()))
    origin.answers(ok(status=b"401 Unauthorized"))
    assert client.ask(mine).status == 401
    account.answers(exchanged(b"another"))
    origin.answers(ok())
    assert client.ask(mine).status == 200
    assert client.ask(mine).status == 200
    assert [request.get(b"authorization") for request in origin.requests[1:]] == [b"Bearer another"] * 2
    assert len(account.requests) == 2


def test_a_credential_is_used_until_it_ends(client: Client, origin: Script, account: Script) -> None:
    account.answers(exchanged(life_s=-1))
    mine = get(b"/", bearer(token()))
    assert [client.ask(mine).status for _ in range(2)] == [503, 503]
    assert len(account.requests) == 2


def test_neither_token_nor_credential_is_logged(exchanging: GatewayProcess, client: Client, account: Script) -> None:
    mine, secret = token(), b"secret%d" % next(NUMBER)
    for answer in (exchanged(secret), ok(status=b"500 Oops")):
        account.answers(answer)
        client.ask(get(b"/logged", bearer(mine)))
        mine = token()
    client.ask(get(b"/", b"X-Request-Id: last-of-these"))
    exchanging.logged("last-of-these")
    text = "\n".join(exchanging.lines)
    assert secret.decode() not in text
    assert not any(part.decode() in text for part in mine.split(b".")[1:])
