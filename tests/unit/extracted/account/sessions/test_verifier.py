"""Which access tokens of Keycloak are accepted, and the rule that stops each of the others."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import Key

from chassis.auth.claims import IdentityUnavailable
from chassis.auth.jwks import FixedKeys
from chassis.auth.jwt import TokenRejected
from extracted.account.sessions.verifier import LEEWAY_S, KeycloakTokens
from tests.support.keycloak.keycloak_tokens import CLIENT, REALM, KeycloakKeys, claims_of

KEYS = KeycloakKeys()
USER = str(uuid.uuid4())


def verifier(keys: KeycloakKeys = KEYS, **options: Any) -> KeycloakTokens:
    return KeycloakTokens(FixedKeys(keys.jwks), REALM, [CLIENT], **options)


async def test_a_token_of_a_log_in_names_user_session_and_times() -> None:
    claims = claims_of(USER, "a-session")
    verified = await verifier().verify(KEYS.signed(claims))
    assert (verified.user_id, verified.session_id) == (USER, "a-session")
    assert (verified.issued_at.timestamp(), verified.expires_at.timestamp()) == (claims["iat"], claims["exp"])
    assert "." not in verified.digest


NOW = int(time.time())
CLAIMS = {
    "another realm": {"iss": "http://keycloak.test/realms/other"},
    "another server": {"iss": "http://evil.test/realms/polycode"},
    "no issuer": {"iss": None},
    "another client": {"azp": "polycode-api"},
    "no client": {"azp": None},
    "an audience instead of a client": {"azp": None, "aud": CLIENT},
    "several clients": {"azp": [CLIENT]},
    "an ID token": {"typ": "ID", "aud": CLIENT},
    "a refresh token": {"typ": "Refresh", "aud": REALM},
    "an offline token": {"typ": "Offline"},
    "no type": {"typ": None},
    "expired": {"exp": NOW - LEEWAY_S - 10},
    "never expires": {"exp": None},
    "expires in words": {"exp": "tomorrow"},
    "expires never, by a number that is none": {"exp": float("inf")},
    "not yet valid": {"nbf": NOW + 86_400},
    "no session": {"sid": None},
    "an empty session": {"sid": ""},
    "a session with a line end": {"sid": "a\nb"},
    "a long session": {"sid": "s" * 256},
    "a session that is a list": {"sid": ["s"]},
    "a client's own token": {"preferred_username": "service-account-account", "sid": None},
    "no user": {"preferred_username": None},
    "an empty user": {"preferred_username": ""},
    "a user that is no id": {"preferred_username": "admin"},
    "a user's id in capitals": {"preferred_username": USER.upper()},
    "a user's id in braces": {"preferred_username": f"{{{USER}}}"},
    "a user's id and more": {"preferred_username": f"{USER}\0"},
    "a user with a line end": {"preferred_username": f"{USER}\n"},
    "a user that is an object": {"preferred_username": {"id": USER}},
    "a user in a nested claim": {"preferred_username": None, "user": {"preferred_username": USER}},
    "a sub instead of the user": {"preferred_username": None, "sub": USER},
    "issued tomorrow": {"iat": NOW + 86_400},
    "issued in words": {"iat": "now"},
    "issued at a fraction": {"iat": NOW + 0.5},
    "issued before there was time": {"iat": -1},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
async def test_a_signed_token_with_other_claims_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRejected):
        await verifier().verify(KEYS.token(USER, **changes))


async def test_odd_signs_in_sub_change_nothing() -> None:
    token = KEYS.token(USER, sub='\'; DROP TABLE "user"; --\r\nX-User: admin')
    assert (await verifier().verify(token)).user_id == USER


async def test_a_claim_that_occurs_twice_is_rejected_although_only_keycloak_can_sign_it() -> None:
    once = json.dumps(claims_of(USER))[:-1]
    assert (await verifier().verify(_signed_text(once + "}"))).user_id == USER
    for again in (f'"preferred_username": "{USER}"', f'"preferred_username": "{uuid.uuid4()}"', '"typ": "ID"'):
        with pytest.raises(TokenRejected):
            await verifier().verify(_signed_text(f"{once}, {again}}}"))


def _signed_text(payload: str) -> bytes:
    """A signature over a payload that no dict can hold."""
    protected = {"alg": "RS256", "typ": "JWT", "kid": KEYS.kid}
    return jws.serialize_compact(protected, payload.encode(), KEYS.key, algorithms=["RS256"]).encode()


def _plain(header: dict[str, Any], signature: str = "") -> bytes:
    parts = (header, claims_of(USER))
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts), signature]
    ).encode()


def _hs256_with_the_public_key() -> bytes:
    signed = _plain({"alg": "HS256", "kid": KEYS.kid})
    signature = hmac.digest(KEYS.key.as_pem(private=False), signed.rpartition(b".")[0], "sha256")
    return signed + base64.urlsafe_b64encode(signature).rstrip(b"=")


FORGED: dict[str, Callable[[], bytes]] = {
    "alg none": lambda: _plain({"alg": "none", "kid": KEYS.kid}),
    "alg None, signed by nobody": lambda: _plain({"alg": "None", "kid": KEYS.kid}, "c2ln"),
    "HS256 with the public key": _hs256_with_the_public_key,
    "another key under the same name": lambda: KeycloakKeys(KEYS.kid).token(USER),
    "an unknown key": lambda: KeycloakKeys("other").token(USER),
    "a key with a path as its name": lambda: KEYS.signed(claims_of(USER), kid="../../dev/null"),
    "a key of its own in the header": lambda: KeycloakKeys("own").signed(
        claims_of(USER), jwk=KeycloakKeys("own").jwks["keys"][0]
    ),
    "a key behind its own address": lambda: KeycloakKeys("own").signed(claims_of(USER), jku="http://evil.test/jwks"),
    "no name of a key": lambda: KEYS.signed(claims_of(USER), kid=None),
    "a type of another use": lambda: KEYS.signed(claims_of(USER), typ="logout+jwt"),
    "a claim changed": lambda: _changed(KEYS.token(USER)),
    "the signature cut off": lambda: KEYS.token(USER).rpartition(b".")[0] + b".",
    "oversized": lambda: KEYS.token(USER, note="x" * 64 * 1024),
    "two parts": lambda: b"a.b",
    "five parts": lambda: b"a.b.c.d.e",
    "nothing": lambda: b"",
    "no text": lambda: b"\xff\xfe.\x00.\x00",
}


def _changed(token: bytes) -> bytes:
    head, payload, signature = token.split(b".")
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=="))
    forged = json.dumps(claims | {"preferred_username": str(uuid.uuid4())}).encode()
    return b".".join([head, base64.urlsafe_b64encode(forged).rstrip(b"="), signature])


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
async def test_a_token_that_keycloak_did_not_sign_is_rejected(forge: Callable[[], bytes]) -> None:
    with pytest.raises(TokenRejected):
        await verifier().verify(forge())


async def test_a_token_that_was_verified_before_still_expires() -> None:
    now = [time.time()]
    tokens, token = verifier(clock=lambda: now[0]), KEYS.token(USER, exp=int(now[0]) + 60)
    await tokens.verify(token)
    now[0] += 61 + LEEWAY_S
    with pytest.raises(TokenRejected):
        await tokens.verify(token)


class NoKeys(FixedKeys):
    """A key set that could never be read."""

    def known(self, kid: str | None) -> Key | None:
        return None

    async def find(self, kid: str | None) -> Key | None:
        raise IdentityUnavailable("no key set has been read yet")


async def test_without_keys_nobody_is_rejected_by_mistake() -> None:
    with pytest.raises(IdentityUnavailable):
        await KeycloakTokens(NoKeys(KEYS.jwks), REALM, [CLIENT]).verify(KEYS.token(USER))
