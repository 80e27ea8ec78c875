"""Tokens as attackers make them: each is refused by the rule that its row names. The good one is refused by none."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from chassis.auth.claims import AuthenticationOutcome, Identity
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.rules import JwtOptions
from tests.unit.chassis.auth.forged import hmac_signed, part, unsigned

RSA = RSAKey.generate_key(2048, {"kid": "2026"})
EVIL = RSAKey.generate_key(2048, {"kid": "2026"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
INTERNAL = ECKey.generate_key("P-256", {"kid": "gateway"})
NOW = int(time.time())
REALM = "https://id.example/realms/polycode"
CLAIMS: dict[str, Any] = {
    "iss": REALM,
    "aud": ["polycode-api", "account"],
    "azp": "polycode",
    "typ": "Bearer",
    "sub": "5f0c64e1",
    "preferred_username": "alice",
    "iat": NOW,
    "exp": NOW + 600,
}


def token(key: Key = RSA, alg: str = "RS256", head: dict[str, Any] | None = None, **claims: Any) -> bytes:
    """A signed one; `...` leaves a claim out."""
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return jwt.encode({"alg": alg, "kid": "2026"} | (head or {}), said, key, [alg]).encode()


def signed(claims: bytes, head: dict[str, Any] | None = None) -> bytes:
    """These bytes, with a good signature: what only the identity server itself could do, or a fault of it."""
    return jws.serialize_compact({"alg": "RS256", "kid": "2026"} | (head or {}), claims, RSA, ["RS256"]).encode()


def stolen(claims: dict[str, Any]) -> bytes:
    """The signature of a good token below other claims."""
    head, _, signature = token().split(b".")
    return b".".join((head, part(claims), signature))


def public(key: RSAKey) -> dict[str, Any]:
    return key.as_dict(private=False)


GOOD = json.dumps(CLAIMS).encode()
OWN_ALGORITHMS = "the algorithms of routes.yaml alone count (RFC 8725 §3.1)"
OWN_KEYS = "keys come from the key set of routes.yaml alone (RFC 8725 §3.10)"
KID_IS_A_NAME = "kid is looked up among known names, nothing else (RFC 8725 §3.10)"
SIGNATURE = "the signature covers header and claims (RFC 7515 §5.2)"
ISSUER = "iss is the realm's, to the letter (RFC 8725 §3.8)"
AUDIENCE = "aud names the API, and azp our client (RFC 8725 §3.9)"
TYPE = "typ tells kinds of tokens apart (RFC 8725 §3.11)"
TIME = "exp is required and past, nbf and iat are not in the future (RFC 7519 §4.1)"
STRICT_JSON = "claims are strict JSON, and no name occurs twice (RFC 7519 §4)"
BOUNDED = "at most 16 KiB are read"
SUBJECT = "a user id is printable text of at most 256 characters, or a whole number"

ATTACKS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "alg none": (OWN_ALGORITHMS, lambda: unsigned(CLAIMS, kid="2026")),
    "alg NONE": (OWN_ALGORITHMS, lambda: unsigned(CLAIMS, "NONE", kid="2026")),
    "alg missing": (OWN_ALGORITHMS, lambda: part({"kid": "2026"}) + b"." + part(CLAIMS) + b".x"),
    "alg a list": (OWN_ALGORITHMS, lambda: part({"alg": ["RS256"]}) + b"." + part(CLAIMS) + b".x"),
    "HS256 with the public key as PEM": (
        OWN_ALGORITHMS,
        lambda: hmac_signed(CLAIMS, RSA.as_pem(private=False), kid="2026"),
    ),
    "HS256 with the public key as JWK": (
        OWN_ALGORITHMS,
        lambda: hmac_signed(CLAIMS, json.dumps(public(RSA)).encode(), kid="2026"),
    ),
    "HS256 with an empty secret": (OWN_ALGORITHMS, lambda: hmac_signed(CLAIMS, b"", kid="2026")),
    "RS512 by the right key": (OWN_ALGORITHMS, lambda: token(alg="RS512")),
    "RS256 by name, a curve's key": (OWN_KEYS, lambda: token(head={"kid": "ec"})),
    "signed by another key under our kid": (OWN_KEYS, lambda: token(EVIL)),
    "jwk in the header": (OWN_KEYS, lambda: token(EVIL, head={"jwk": public(EVIL)})),
    "jku in the header": (OWN_KEYS, lambda: token(EVIL, head={"jku": "http://127.0.0.1:9/jwks"})),
    "x5u in the header": (OWN_KEYS, lambda: token(EVIL, head={"x5u": "http://127.0.0.1:9/cert"})),
    "x5c in the header": (OWN_KEYS, lambda: token(EVIL, head={"x5c": [base64.b64encode(b"cert").decode()]})),
    "kid unknown": (KID_IS_A_NAME, lambda: token(EVIL, head={"kid": "evil"})),
    "kid a path": (KID_IS_A_NAME, lambda: token(EVIL, head={"kid": "../../../../dev/null"})),
    "kid an injection": (KID_IS_A_NAME, lambda: token(EVIL, head={"kid": "2026' OR '1'='1"})),
    "kid a URL": (KID_IS_A_NAME, lambda: token(EVIL, head={"kid": "http://127.0.0.1:9/key"})),
    "kid a number": (KID_IS_A_NAME, lambda: part({"alg": "RS256", "kid": 2026}) + b"." + part(CLAIMS) + b".x"),
    "kid missing, several keys": (KID_IS_A_NAME, lambda: jwt.encode({"alg": "RS256"}, CLAIMS, RSA).encode()),
    "crit unknown": (SIGNATURE, lambda: part({"alg": "RS256", "crit": ["x"], "x": 1}) + b"." + part(CLAIMS) + b".x"),
    "claims changed": (SIGNATURE, lambda: stolen(CLAIMS | {"preferred_username": "admin"})),
    "signature cut": (SIGNATURE, lambda: token()[:-8]),
    "signature missing": (SIGNATURE, lambda: token().rpartition(b".")[0] + b"."),
    "payload not encoded (b64)": (SIGNATURE, lambda: signed(GOOD, {"b64": False, "crit": ["b64"]})),
    "four parts": (SIGNATURE, lambda: token() + b".x"),
    "encrypted (five parts)": (SIGNATURE, lambda: b"a.b.c.d.e"),
    "another realm": (ISSUER, lambda: token(iss="https://id.example/realms/master")),
    "the realm with a slash": (ISSUER, lambda: token(iss=f"{REALM}/")),
    "the realm in capitals": (ISSUER, lambda: token(iss=REALM.upper())),
    "issuer a list": (ISSUER, lambda: token(iss=[REALM])),
    "no issuer": (ISSUER, lambda: token(iss=...)),
    "the gateway's internal token from outside": (
        ISSUER,
        lambda: token(INTERNAL, "ES256", {"kid": "gateway"}, iss="strangler", aud="account", outcome="user"),
    ),
    "another audience": (AUDIENCE, lambda: token(aud="another-api")),
    "no audience": (AUDIENCE, lambda: token(aud=...)),
    "another client": (AUDIENCE, lambda: token(azp="polycode-shop")),
    "no client": (AUDIENCE, lambda: token(azp=...)),
    "a list of clients": (AUDIENCE, lambda: token(azp=["polycode"])),
    "ID token": (TYPE, lambda: token(typ="ID", aud="polycode-api")),
    "refresh token, signed like an access token": (TYPE, lambda: token(typ="Refresh")),
    "refresh token as it is (HS512)": (
        OWN_ALGORITHMS,
        lambda: token(OctKey.import_key("a secret of the server that nobody knows" * 2), "HS512", typ="Refresh"),
    ),
    "no typ": (TYPE, lambda: token(typ=...)),
    "a log-out token": (TYPE, lambda: token(head={"typ": "logout+jwt"})),
    "a proof of possession": (TYPE, lambda: token(head={"typ": "dpop+jwt"})),
    "expired": (TIME, lambda: token(exp=NOW - 6)),
    "no end": (TIME, lambda: token(exp=...)),
    "end a text": (TIME, lambda: token(exp="9999999999")),
    "end beyond all time": (TIME, lambda: token(exp=10**400)),
    "not yet valid": (TIME, lambda: token(nbf=NOW + 3600)),
    "issued in the future": (TIME, lambda: token(iat=NOW + 3600)),
    "issue time a text": (TIME, lambda: token(iat="yesterday")),
    "user named twice": (STRICT_JSON, lambda: signed(GOOD[:-1] + b', "preferred_username": "admin"}')),
    "end at infinity": (STRICT_JSON, lambda: signed(GOOD.replace(b'"exp": %d' % (NOW + 600), b'"exp": Infinity'))),
    "claims nested too deeply": (
        STRICT_JSON,
        lambda: signed(GOOD[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ),
    "claims a list": (STRICT_JSON, lambda: signed(b"[" + GOOD + b"]")),
    "header names alg twice": (
        STRICT_JSON,
        lambda: part(b'{"alg":"RS256","kid":"2026","alg":"RS256"}') + token()[token().index(b".") :],
    ),
    "64 KiB, signed": (BOUNDED, lambda: token(padding="x" * 65_536)),
    "64 KiB of dots": (BOUNDED, lambda: b"." * 65_536),
    "user missing": (SUBJECT, lambda: token(preferred_username=...)),
    "user empty": (SUBJECT, lambda: token(preferred_username="")),
    "user true": (SUBJECT, lambda: token(preferred_username=True)),
    "user an object": (SUBJECT, lambda: token(preferred_username={"id": "alice"})),
    "user a fraction": (SUBJECT, lambda: token(preferred_username=1.5)),
    "user with a line break": (SUBJECT, lambda: token(preferred_username="alice\r\nX-Admin: 1")),
    "user with a zero byte": (SUBJECT, lambda: token(preferred_username="alice\0")),
    "user with a lone surrogate": (SUBJECT, lambda: signed(GOOD.replace(b'"alice"', b'"\\ud800"'))),
    "user written backwards": (SUBJECT, lambda: token(preferred_username="\u202eecila")),
    "user of 257 characters": (SUBJECT, lambda: token(preferred_username="x" * 257)),
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> JwtProvider:
    published = tmp_path_factory.mktemp("keys") / "jwks.json"
    published.write_text(json.dumps({"keys": [public(RSA), EC.as_dict(private=False)]}))
    return JwtProvider(
        JwtOptions(
            algorithms=["RS256"],
            jwks_file=str(published),
            issuer=REALM,
            audience="polycode-api",
            azp=["polycode"],
            typ="Bearer",
            user="preferred_username",
            leeway_s=5,
        ),
        clock=lambda: NOW,
    )


def identified(provider: JwtProvider, sent: bytes) -> Identity:
    answer = provider.identify([(b"Authorization", b"Bearer " + sent)])
    if isinstance(answer, Identity):
        return answer
    try:
        answer.send(None)  # type: ignore[attr-defined]  # a coroutine that waits for nothing: the set is a file
    except StopIteration as done:
        found: Identity = done.value
        return found
    raise AssertionError("the provider waits")


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attack_is_stopped(provider: JwtProvider, name: str) -> None:
    rule, forge = ATTACKS[name]
    assert identified(provider, forge()).outcome is AuthenticationOutcome.REJECTED, rule


@pytest.mark.parametrize(
    ("head", "claims"),
    [
        ({}, {}),
        ({"typ": "at+jwt"}, {}),
        ({"typ": "application/at+jwt"}, {}),
        ({}, {"exp": NOW - 1, "nbf": NOW + 4, "iat": NOW + 30}),
        ({"jku": "http://127.0.0.1:9/jwks"}, {}),
        ({}, {"preferred_username": "Ünïcødé 'quote\" ; --"}),
    ],
    ids=["plain", "RFC 9068", "with its media type", "clocks differ a little", "jku of no use", "odd characters"],
)
def test_a_good_token_is_not(provider: JwtProvider, head: dict[str, Any], claims: dict[str, Any]) -> None:
    user = claims.get("preferred_username", "alice")
    assert identified(provider, token(head=head, **claims)).subject == user
