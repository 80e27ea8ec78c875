"""The provider `jwt`: a signature names the user. What it refuses: test_token_attacks.py."""

import inspect
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity, IdentityUnavailable
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.rules import IdentityRulesInvalid, JwtOptions
from tests.support.effort import examples
from tests.support.origins import Answer, origin
from tests.unit.chassis.auth.forged import hmac_signed

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
OTHER = RSAKey.generate_key(2048)
SECRET = "a shared secret that is long enough"
NOW = int(time.time())
GOOD = {"iss": "https://auth.example", "aud": "https://api.example", "sub": "alice", "exp": NOW + 86_400}


def sign(claims: dict[str, Any], key: Key = RSA, alg: str = "RS256", **header: Any) -> str:
    header = {"alg": alg, "kid": key.thumbprint()} | header
    return jwt.encode(header, {n: v for n, v in claims.items() if v is not ...}, key, [alg])


def bearer(token: str | bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Host", b"x"), (b"aUthorization", b"Bearer " + (token.encode() if isinstance(token, str) else token))]


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "public.pem"
    path.write_bytes(RSA.as_pem(private=False))
    return str(path)


@pytest.fixture
def provider(key_file: str) -> JwtProvider:
    return JwtProvider(checked(key_file))


def checked(key_file: str, **changes: Any) -> JwtOptions:
    given = {"algorithms": ["RS256"], "issuer": GOOD["iss"], "audience": GOOD["aud"], "key_file": key_file}
    options: dict[str, Any] = given | changes
    return JwtOptions(**options)


def known(provider: JwtProvider, fields: list[tuple[bytes, bytes]]) -> Identity:
    identity = provider.identify(fields)
    assert isinstance(identity, Identity)
    return identity


def test_a_good_signature_names_the_user_and_none_nobody(provider: JwtProvider) -> None:
    identity = known(provider, bearer(sign(GOOD)))
    told = (identity.outcome, identity.subject, identity.expires_at)
    assert told == (AuthenticationOutcome.USER, "alice", GOOD["exp"])
    assert provider.confirm(identity, []) is identity
    assert known(provider, [(b"Host", b"x"), (b"Authorization", b"")]) is NOBODY
    for value in (b"Basic YWxpY2U6c2VjcmV0", b"Bearer", b"Bearer  ", b"token"):
        assert known(provider, [(b"authorization", value)]).outcome is AuthenticationOutcome.REJECTED


def test_with_any_scheme_the_word_before_the_token_does_not_matter(key_file: str) -> None:
    provider = JwtProvider(checked(key_file, scheme="any"))
    token = sign(GOOD).encode()
    for word in (b"Bearer", b"Foo", b"bearer"):
        assert known(provider, [(b"Authorization", word + b" " + token)]).subject == "alice"
    for value in (b"Bearer", b"Bearer ", b" " + token, token, b"Bearer  " + token, b"Bearer " + token + b" x"):
        assert known(provider, [(b"Authorization", value)]) is NOBODY
    for value in (b"Basic YWxpY2U6c2VjcmV0", b"Foo " + token + b"x"):
        assert known(provider, [(b"Authorization", value)]).outcome is AuthenticationOutcome.REJECTED


@given(value=st.binary(max_size=300))
@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_breaks_nothing(provider: JwtProvider, value: bytes) -> None:
    assert known(provider, [(b"authorization", b"Bearer x" + value)]).outcome is AuthenticationOutcome.REJECTED


def test_a_verified_token_is_remembered_until_it_expires(key_file: str) -> None:
    now = [float(NOW)]
    provider = JwtProvider(checked(key_file), clock=lambda: now[0])
    fields = bearer(sign(GOOD))
    first = known(provider, fields)
    assert known(provider, fields) is first
    now[0] = NOW + 86_401.0
    assert known(provider, fields).outcome is AuthenticationOutcome.REJECTED
    ended = provider.confirm(first, fields)
    assert isinstance(ended, Identity)
    assert ended.outcome is AuthenticationOutcome.REJECTED


@pytest.mark.parametrize(
    ("claims", "user", "roles", "expected"),
    [
        ({"uid": 42}, "uid", None, ("42", ())),
        ({"sub": "a", "roles": ["x", "y", 3]}, "sub", "roles", ("a", ("x", "y"))),
        ({"sub": "a", "scope": "x y"}, "sub", "scope", ("a", ("x", "y"))),
        ({"sub": "a", "realm_access": {"roles": ["x"]}}, "sub", "$.realm_access.roles", ("a", ("x",))),
        ({"sub": "a", "realm_access": {"roles": ["x"]}}, "sub", "/realm_access/roles", ("a", ("x",))),
        ({"https://a.example/user": "a"}, "https://a.example/user", None, ("a", ())),
        ({"sub": "a"}, "sub", "roles", ("a", ())),
        ({"sub": "a", "roles": {"x": 1}}, "sub", "roles", ("a", ())),
    ],
)
def test_user_and_roles_are_taken_from_the_claims_that_are_named(
    key_file: str, claims: dict[str, Any], user: str, roles: str | None, expected: tuple[str, tuple[str, ...]]
) -> None:
    provider = JwtProvider(checked(key_file, user=user, roles=roles))
    identity = known(provider, bearer(sign(GOOD | {"sub": ...} | claims)))
    assert (identity.subject, identity.roles) == expected


def test_a_token_may_come_in_a_cookie(key_file: str) -> None:
    provider = JwtProvider(checked(key_file, cookie="session"))
    fields = [(b"Cookie", b"theme=dark; session=" + sign(GOOD).encode()), (b"Authorization", b"Bearer x")]
    assert known(provider, fields).subject == "alice"
    assert known(provider, [(b"Cookie", b"theme=dark; session=")]) is NOBODY
    assert known(provider, [(b"Cookie", b"session=x")]).outcome is AuthenticationOutcome.REJECTED


def test_a_shared_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONOLITH_JWT_SECRET", SECRET)
    provider = JwtProvider(JwtOptions(algorithms=["HS256"], key_env="MONOLITH_JWT_SECRET"))
    claims = {"sub": "alice", "exp": NOW + 3600}
    assert known(provider, bearer(sign(claims, OctKey.import_key(SECRET), "HS256"))).subject == "alice"
    assert known(provider, bearer(hmac_signed(claims, b"guess"))).outcome is AuthenticationOutcome.REJECTED


async def test_a_key_set_is_read_once_and_then_known() -> None:
    published = json.dumps({"keys": [{**RSA.as_dict(private=False), "kid": RSA.thumbprint()}]}).encode()
    async with origin(lambda request: Answer(200, published)) as served:
        provider = JwtProvider(JwtOptions(["RS256"], jwks_url=f"{served.url}/jwks"))
        asked = provider.identify(bearer(sign(GOOD)))
        assert inspect.isawaitable(asked)
        assert (await asked).subject == "alice"
        assert known(provider, bearer(sign(GOOD | {"sub": "bob"}))).subject == "bob"
        assert len(served.requests) == 1
        await provider.aclose()


async def test_while_the_key_set_was_never_read_the_identity_is_unavailable() -> None:
    async with origin(lambda request: Answer(500)) as served:
        provider = JwtProvider(JwtOptions(["RS256"], jwks_url=f"{served.url}/jwks"))
        asked = provider.identify(bearer(sign(GOOD)))
        assert inspect.isawaitable(asked)
        with pytest.raises(IdentityUnavailable):
            await asked
        await provider.aclose()


def test_a_key_set_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [{**EC.as_dict(private=False), "kid": EC.thumbprint()}]}))
    provider = JwtProvider(JwtOptions(["ES256", "RS256"], jwks_file=str(path)))
    assert known(provider, bearer(sign(GOOD, EC, "ES256"))).subject == "alice"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["none"]}, "none"),
        ({"algorithms": ["RS256", "HS256"], "key_env": "MONOLITH_JWT_SECRET"}, "mixes"),
        ({"algorithms": ["RS256"]}, "no key source"),
        ({"algorithms": ["RS256"], "key_file": "a", "jwks_url": "http://b"}, "key_file"),
        ({"algorithms": ["HS256"], "jwks_url": "http://b"}, "never a key set"),
        ({"algorithms": ["RS256"], "key_env": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"algorithms": ["RS256"], "key_file": "no/such/file"}, "No such file"),
        ({"algorithms": ["RS256"], "jwks_file": "no/such/file"}, "No such file"),
        ({"algorithms": ["RS256"], "key_env": "MONOLITH_JWT_SECRET"}, "cannot be used with RS256"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_reason(
    options: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONOLITH_JWT_SECRET", SECRET)
    with pytest.raises(IdentityRulesInvalid, match=told) as refused:
        JwtProvider(JwtOptions(**options | {"key_file": options.get("key_file")}))
    assert SECRET not in str(refused.value)


def test_one_key_verifies_algorithms_of_its_kind_alone(key_file: str) -> None:
    provider = JwtProvider(checked(key_file, algorithms=["RS256", "ES256"]))
    assert known(provider, bearer(sign(GOOD))).subject == "alice"
    assert known(provider, bearer(sign(GOOD, EC, "ES256"))).outcome is AuthenticationOutcome.REJECTED


LIVE = {"user": "$.id", "roles": "$.roles"}


@pytest.mark.parametrize(
    ("status", "document", "who"),
    [
        (200, {"id": "alice", "roles": ["user"]}, ("alice", ("user",))),
        (200, {"id": "alice"}, ("alice", ())),
        (200, {"id": "bob", "roles": ["admin"]}, None),
        (200, {}, None),
        (401, {}, None),
    ],
    ids=["roles of now", "no roles", "another user", "nobody", "revoked"],
)
async def test_the_live_state_of_a_token_decides_where_there_is_one(
    key_file: str, status: int, document: dict[str, Any], who: tuple[str, tuple[str, ...]] | None
) -> None:
    async with origin(lambda request: Answer(status, json.dumps(document).encode())) as account:
        provider = JwtProvider(checked(key_file, roles="roles", confirm={"url": f"{account.url}/identity", **LIVE}))
        fields = [*bearer(sign(GOOD | {"roles": ["admin"]})), (b"Cookie", b"a=b")]
        asked = provider.confirm(known(provider, fields), fields)
        assert inspect.isawaitable(asked)
        confirmed = await asked
        told = None if confirmed.outcome is AuthenticationOutcome.REJECTED else (confirmed.subject, confirmed.roles)
        assert told == who
        [request] = account.requests
        assert request.fields[b"authorization"].startswith(b"Bearer ey")
        assert b"cookie" not in request.fields
        await provider.aclose()


async def test_a_token_in_a_cookie_is_confirmed_by_that_cookie(key_file: str) -> None:
    async with origin(lambda request: Answer(200, b'{"id": "alice"}')) as account:
        provider = JwtProvider(checked(key_file, cookie="session", confirm={"url": account.url + "/", **LIVE}))
        fields = [(b"Cookie", b"theme=dark; session=" + sign(GOOD).encode())]
        asked = provider.confirm(known(provider, fields), fields)
        assert inspect.isawaitable(asked)
        assert (await asked).subject == "alice"
        assert account.requests[0].fields[b"cookie"].startswith(b"session=ey")
        await provider.aclose()


@pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(200, b"<html>")])
async def test_while_the_live_state_is_away_the_identity_is_unavailable(key_file: str, answer: Answer) -> None:
    async with origin(lambda request: answer) as account:
        provider = JwtProvider(checked(key_file, confirm={"url": f"{account.url}/identity", **LIVE}))
        fields = bearer(sign(GOOD))
        asked = provider.confirm(known(provider, fields), fields)
        assert inspect.isawaitable(asked)
        with pytest.raises(IdentityUnavailable):
            await asked
        await provider.aclose()
