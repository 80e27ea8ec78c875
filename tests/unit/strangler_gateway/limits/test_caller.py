"""Who is counted: one key a caller, whatever spelling the caller tries."""

from base64 import b64encode

import pytest

from chassis.auth.claims import NOBODY, Identity
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.limits.caller import callers
from tests.support.gateway.exchanges import ALICE, changed, route, table

TABLE = table(route())
SIGNATURE = b"A" * 42
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0."
BASIC = b64encode(b"ann:secret")


def sent(*lines: bytes, peer: str = "192.0.2.7", identity: Identity | None = None) -> Exchange:
    section = b"".join(line + b"\r\n" for line in (b"Host: a", *lines))
    x = Exchange(
        parse_request(b"GET / HTTP/1.1\r\n" + section + b"\r\n", 1000, 9000, 50),
        HeadMemory(),
        TABLE,
        peer,
        b"http",
        0.0,
    )
    x.identity = identity
    return x


def bearer(token: bytes) -> tuple[bytes, ...]:
    return callers(sent(b"Authorization: Bearer " + token), "credential")


@pytest.mark.parametrize(
    "line",
    [
        b"authorization: bearer abc",
        b"AUTHORIZATION:BEARER abc",
        b"Authorization:   Bearer   abc  ",
        b"Authorization: Bearer\tabc",
        b"Authorization: Bearer\xa0abc",
        b"Authorization: \xa0Bearer abc\xa0",
        b"Authorization: Bearer abc and more",
        b"Authorization: Bearer abc\xa0more",
    ],
)
def test_another_spelling_is_the_same_credential(line: bytes) -> None:
    assert callers(sent(line), "credential") == bearer(b"abc")


@pytest.mark.parametrize("value", [b"Bearer ABC", b"Basic abc", b"Bearer abcd", b"Bearer", b"abc"])
def test_another_credential_is_another_caller(value: bytes) -> None:
    assert callers(sent(b"Authorization: " + value), "credential") != bearer(b"abc")


@pytest.mark.parametrize("last", [b"B", b"C", b"D", b"A=", b"A==", b"A!", b"A\x80"])
def test_a_signature_in_another_spelling_is_the_same_token(last: bytes) -> None:
    assert bearer(JWT + SIGNATURE + last) == bearer(JWT + SIGNATURE + b"A")


def test_another_signature_or_payload_is_another_token() -> None:
    keys = {
        bearer(token) for token in (JWT + SIGNATURE + b"A", JWT + SIGNATURE + b"E", JWT[:-2] + b"." + SIGNATURE + b"A")
    }
    assert len(keys) == 3


@pytest.mark.parametrize("spelled", [BASIC.rstrip(b"="), BASIC + b"=", b"*" + BASIC, BASIC[:4] + b"." + BASIC[4:]])
def test_a_password_in_another_spelling_of_base64_is_the_same_credential(spelled: bytes) -> None:
    assert callers(sent(b"Authorization: Basic " + spelled), "credential") == callers(
        sent(b"Authorization: basic " + BASIC), "credential"
    )


def test_a_request_with_two_credentials_counts_for_both_and_with_more_for_the_first_and_the_last() -> None:
    lines = [b"Authorization: Bearer abc", b"Authorization: Bearer junk"]
    both = (*bearer(b"abc"), *bearer(b"junk"))
    assert callers(sent(*lines), "credential") == both
    assert callers(sent(lines[0], b"Authorization: Bearer more", lines[1]), "credential") == both
    assert callers(sent(lines[0], b"Authorization: bearer  abc"), "credential") == bearer(b"abc")
    assert callers(sent(b"Authorization:", lines[0]), "credential") == bearer(b"abc")


HERE = (b"a192.0.2.7",)


@pytest.mark.parametrize(
    ("by", "lines", "identity", "keys"),
    [
        ("user", [], ALICE, (b"ualice",)),
        ("user", [], changed(subject="192.0.2.7"), (b"u192.0.2.7",)),
        ("user", [], None, HERE),
        ("user", [b"Authorization: Bearer abc"], NOBODY, HERE),
        ("address", [b"Authorization: Bearer abc"], ALICE, HERE),
        ("credential", [], ALICE, HERE),
        ("credential", [b"Authorization:"], None, HERE),
        ("credential", [b"Authorization:", b"Authorization: "], None, HERE),
        ("credential", [b"Authorization_: Bearer abc", b"X-Authorization: Bearer abc"], None, HERE),
    ],
)
def test_nobody_known_is_an_address(by: str, lines: list[bytes], identity: Identity | None, keys: tuple[bytes]) -> None:
    assert callers(sent(*lines, identity=identity), by) == keys  # type: ignore[arg-type]  # one of three words


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("2001:db8:1:2:3:4:5:6", b"a2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", b"a2001:db8:1:2::/64"),
        ("fe80::1%eth0", b"afe80::/64"),
        ("::ffff:192.0.2.7", b"a192.0.2.7"),
        ("", b"a"),
        ("not:an:address", b"anot:an:address"),
    ],
)
def test_an_ipv6_network_is_one_caller(peer: str, key: bytes) -> None:
    assert callers(sent(peer=peer), "address") == (key,)
