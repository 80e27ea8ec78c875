"""Who may call a service by a token of the identity server: the clients it names, with a token for it alone."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from chassis.auth.claims import IdentityUnavailable
from chassis.auth.client_tokens import ClientTokens
from chassis.auth.jwks import FixedKeys, RemoteKeys
from tests.unit.chassis.auth.forged import hmac_signed, unsigned

KEY, OTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
ISSUER = "https://keycloak.test/realms/polycode"
KEYS = FixedKeys({"keys": [{**KEY.as_dict(private=False), "kid": KEY.thumbprint(), "use": "sig", "alg": "RS256"}]})


def claims(**changes: Any) -> dict[str, Any]:
    """As Keycloak gives to the client of a service."""
    now = int(time.time())
    whole = {
        "iss": ISSUER,
        "aud": "polycode-shop",
        "azp": "polycode-account",
        "client_id": "polycode-account",
        "typ": "Bearer",
        "sub": "9466f842-9874-4634-a6cf-226415b1e8a1",
        "iat": now,
        "exp": now + 300,
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def signed(content: dict[str, Any], key: RSAKey = KEY, **header: Any) -> bytes:
    return jwt.encode({"alg": "RS256", "kid": KEY.thumbprint(), "typ": "JWT"} | header, content, key).encode()


def tokens(clock: Callable[[], float] = time.time) -> ClientTokens:
    callers = ("polycode-account", "polycode-operations")
    return ClientTokens(KEYS, issuer=ISSUER, audience="polycode-shop", callers=callers, clock=clock)


@pytest.mark.parametrize("changes", [{}, {"aud": ["polycode-shop"]}, {"azp": "polycode-operations"}])
async def test_a_named_client_may_call_with_a_token_for_this_service(changes: dict[str, Any]) -> None:
    assert await tokens().refusal(b"Bearer " + signed(claims(**changes))) is None


REFUSED: dict[str, Callable[[], bytes]] = {
    "another audience": lambda: signed(claims(aud="polycode-runner")),
    "for others, too": lambda: signed(claims(aud=["polycode-shop", "polycode-runner"])),
    "no audience": lambda: signed(claims(aud=...)),
    "another client": lambda: signed(claims(azp="polycode-learning")),
    "no client": lambda: signed(claims(azp=...)),
    "a user's token": lambda: signed(claims(azp="polycode", aud="polycode-api", sid="s", preferred_username="u")),
    "a user's token of a named client": lambda: signed(claims(sid="s", preferred_username="u")),
    "an ID token": lambda: signed(claims(typ="ID")),
    "a refresh token": lambda: signed(claims(typ="Refresh")),
    "another realm": lambda: signed(claims(iss="https://keycloak.test/realms/other")),
    "the gateway's": lambda: signed(claims(iss="strangler", outcome="user", typ=...)),
    "expired": lambda: signed(claims(exp=int(time.time()) - 6)),
    "without an end": lambda: signed(claims(exp=...)),
    "not yet valid": lambda: signed(claims(nbf=int(time.time()) + 60)),
    "issued in the future": lambda: signed(claims(iat=int(time.time()) + 600)),
    "another key": lambda: signed(claims(), OTHER),
    "another key by its id": lambda: signed(claims(), OTHER, kid=OTHER.thumbprint()),
    "unsigned": lambda: unsigned(claims(), kid=KEY.thumbprint()),
    "signed with the public key": lambda: hmac_signed(claims(), KEY.as_pem(private=False), kid=KEY.thumbprint()),
    "no token": lambda: b"token",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_token_that_was_not_meant_for_this_service_is_refused(name: str) -> None:
    token = REFUSED[name]()
    why = await tokens().refusal(b"Bearer " + token)
    assert why
    assert not token or token.decode() not in why


@pytest.mark.parametrize("scheme", [b"", b"Basic ", b"Bearer"])
async def test_another_scheme_is_refused(scheme: bytes) -> None:
    assert await tokens().refusal(scheme + signed(claims())) == "no bearer token"


async def test_a_verified_token_ends_with_its_time() -> None:
    now = time.time()
    clock = [now]
    checked, token = tokens(lambda: clock[0]), b"Bearer " + signed(claims())
    assert await checked.refusal(token) is None
    clock[0] = now + 299
    assert await checked.refusal(token) is None
    clock[0] = now + 310
    assert await checked.refusal(token) is not None


async def test_without_any_key_nobody_is_refused_for_good() -> None:
    keys = RemoteKeys("http://127.0.0.1:9/certs")
    away = ClientTokens(keys, issuer=ISSUER, audience="polycode-shop", callers=("polycode-account",))
    with pytest.raises(IdentityUnavailable):
        await away.refusal(b"Bearer " + signed(claims()))
    await away.aclose()
