"""A service believes the gateway's token, and nothing else."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from chassis.auth.claims import AuthenticationOutcome, IdentityUnavailable
from chassis.auth.jwks import RemoteKeys
from chassis.auth.jwt import MAX_BYTES
from chassis.auth.tokens import TokenRejected, TokenVerifier
from tests.support.effort import examples
from tests.support.origins import Answer, Origin, Request, origin, until
from tests.unit.chassis.auth.forged import hmac_signed, part, unsigned

KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)


def jwks(*keys: ECKey | RSAKey) -> dict[str, Any]:
    return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig"} for key in keys]}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "iss": "strangler",
        "aud": "shop",
        "sub": "alice",
        "roles": ["user"],
        "outcome": "user",
        "iat": now,
        "exp": now + 60,
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def signed(content: dict[str, Any], key: ECKey | RSAKey = KEY, alg: str = "ES256", **header: Any) -> bytes:
    header = {"alg": alg, "kid": key.thumbprint()} | header
    return jwt.encode({k: v for k, v in header.items() if v is not ...}, content, key, [alg]).encode()


def verifier(*keys: ECKey | RSAKey) -> TokenVerifier:
    return TokenVerifier("shop", jwks=jwks(*(keys or (KEY,))))


async def test_a_good_token_tells_who_calls() -> None:
    identity = await verifier().verify(signed(claims()))
    assert (identity.outcome, identity.subject, identity.roles) == (AuthenticationOutcome.USER, "alice", ("user",))
    assert identity.credential


@pytest.mark.parametrize(
    "changes",
    [{"iat": 4_102_444_800}, {"iat": "yesterday"}, {"iat": ...}, {"aud": ["account", "shop"]}],
    ids=["issued in the year 2100", "issued as text", "issue missing", "an audience list that names us"],
)
async def test_what_decides_nothing_is_accepted(changes: dict[str, Any]) -> None:
    assert (await verifier().verify(signed(claims(**changes)))).subject == "alice"


@pytest.mark.parametrize("outcome", ["missing", "rejected"])
async def test_a_refused_caller_is_told_as_one(outcome: str) -> None:
    identity = await verifier().verify(signed(claims(outcome=outcome, sub=..., roles=[])))
    assert (identity.outcome, identity.subject) == (AuthenticationOutcome(outcome), None)


FUTURE, PAST = int(time.time()) + 3_600, int(time.time()) - 3_600

REFUSED: dict[str, Callable[[], bytes]] = {
    "algorithm none": lambda: unsigned(claims()),
    "algorithm none with kid": lambda: unsigned(claims(), kid=KEY.thumbprint()),
    "algorithm None in other letters": lambda: unsigned(claims(), alg="nOnE", kid=KEY.thumbprint()),
    "no algorithm": lambda: part({"kid": KEY.thumbprint()}) + b"." + part(claims()) + b".x",
    "algorithm as a list": lambda: part({"alg": ["ES256"]}) + b"." + part(claims()) + b".x",
    "public key as shared secret": lambda: hmac_signed(claims(), KEY.as_pem(private=False), kid=KEY.thumbprint()),
    "public jwk as shared secret": lambda: hmac_signed(claims(), json.dumps(KEY.as_dict(private=False)).encode()),
    "empty shared secret": lambda: hmac_signed(claims(), b"", kid=KEY.thumbprint()),
    "another algorithm of the key's family": lambda: signed(claims(), RSA, "RS256"),
    "key of the token's own choice": lambda: signed(claims(), OTHER, jwk=OTHER.as_dict(private=False), kid=...),
    "another key under our kid": lambda: signed(claims(), OTHER, kid=KEY.thumbprint()),
    "unknown kid": lambda: signed(claims(), OTHER),
    "kid as a number": lambda: part({"alg": "ES256", "kid": 7}) + b"." + part(claims()) + b".x",
    "critical extension": lambda: part({"alg": "ES256", "crit": ["x"], "x": 1}) + b"." + part(claims()) + b".x",
    "wrong issuer": lambda: signed(claims(iss="someone")),
    "no issuer": lambda: signed(claims(iss=...)),
    "issuer as a list": lambda: signed(claims(iss=["strangler"])),
    "wrong audience": lambda: signed(claims(aud="account")),
    "no audience": lambda: signed(claims(aud=...)),
    "expired": lambda: signed(claims(exp=PAST)),
    "no end": lambda: signed(claims(exp=...)),
    "end as text": lambda: signed(claims(exp=str(FUTURE))),
    "end as true": lambda: signed(claims(exp=True)),
    "end as null": lambda: signed(claims(exp=None)),
    "end beyond all time": lambda: signed(claims(exp=10**400)),
    "end as infinity": lambda: jwt_of(json.dumps(claims(exp=float("inf"))).encode()),
    "claims that say who twice": lambda: jwt_of(json.dumps(claims()).encode()[:-1] + b', "sub": "admin"}'),
    "header that says its key twice": lambda: part(b'{"alg":"ES256","kid":"a","kid":"b"}') + b".e30.x",
    "not yet valid": lambda: signed(claims(nbf=FUTURE)),
    "no outcome": lambda: signed(claims(outcome=...)),
    "unknown outcome": lambda: signed(claims(outcome="god")),
    "outcome as a list": lambda: signed(claims(outcome=["user"])),
    "user without subject": lambda: signed(claims(sub=...)),
    "user with an empty subject": lambda: signed(claims(sub="")),
    "subject without user": lambda: signed(claims(outcome="missing")),
    "subject as a number": lambda: signed(claims(sub=7)),
    "roles as text": lambda: signed(claims(roles="admin")),
    "roles of numbers": lambda: signed(claims(roles=[1])),
    "changed claims": lambda: _with_other_claims(signed(claims()), claims(sub="admin")),
    "signature cut off": lambda: signed(claims())[:-10],
    "no signature": lambda: signed(claims()).rpartition(b".")[0] + b".",
    "four parts": lambda: signed(claims()) + b".x",
    "five parts": lambda: b"a.b.c.d.e",
    "one part": lambda: b"token",
    "nothing": lambda: b"",
    "dots": lambda: b"..",
    "no base64": lambda: b"\xff\xfe.\x00.\xff",
    "header is a list": lambda: part([]) + b"." + part(claims()) + b".x",
    "claims are a list": lambda: jwt_of(b"[]"),
    "claims are no JSON": lambda: jwt_of(b"{"),
    "claims are nested too deeply": lambda: jwt_of(b"[" * 8_000),
    "header is nested too deeply": lambda: part(b"[" * 8_000) + b".e30.x",
    "huge": lambda: signed(claims(padding="x" * MAX_BYTES)),
    "huge and unsigned": lambda: b"x" * 10_000_000,
}


def _with_other_claims(token: bytes, other: dict[str, Any]) -> bytes:
    header, _, signature = token.split(b".")
    return b".".join((header, part(other), signature))


def jwt_of(payload: bytes) -> bytes:
    """Signed well, whatever it says."""
    from joserfc import jws

    return jws.serialize_compact({"alg": "ES256", "kid": KEY.thumbprint()}, payload, KEY, ["ES256"]).encode()


@pytest.mark.parametrize("name", REFUSED)
async def test_any_other_token_is_refused(name: str) -> None:
    token = REFUSED[name]()
    with pytest.raises(TokenRejected) as refused:
        await verifier(KEY, RSA).verify(token)
    assert not any(len(piece) > 8 and piece.decode("latin-1") in str(refused.value) for piece in token.split(b"."))


@given(st.binary(max_size=200) | st.builds(lambda a, b, c: b".".join((part(a), part(b), c)), *[st.binary()] * 3))
@settings(max_examples=examples(200), deadline=None)
def test_garbage_is_refused_and_breaks_nothing(token: bytes) -> None:
    with pytest.raises(TokenRejected):
        asyncio.run(verifier().verify(token))


async def test_a_token_expires_also_where_it_was_verified_before() -> None:
    now = time.time()
    moment = [now]
    watching = TokenVerifier("shop", jwks=jwks(KEY), clock=lambda: moment[0])
    token = signed(claims(exp=int(now) + 60))
    await watching.verify(token)
    moment[0] = now + 70
    with pytest.raises(TokenRejected):
        await watching.verify(token)


class Publisher:
    """A key set that can change, and be away."""

    def __init__(self, *keys: ECKey) -> None:
        self.answer: Answer = Answer(200, json.dumps(jwks(*keys)).encode())
        self.wait = asyncio.Event()
        self.wait.set()

    def publish(self, *keys: ECKey) -> None:
        self.answer = Answer(200, json.dumps(jwks(*keys)).encode())

    async def __call__(self, request: Request) -> Answer:
        await self.wait.wait()
        return self.answer


class Clock:
    """Seconds that pass when the test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def remote_keys(served: Origin, clock: Clock, timeout_s: float = 5.0) -> RemoteKeys:
    return RemoteKeys(f"{served.url}/jwks", ttl_s=300, refetch_s=10, timeout_s=timeout_s, clock=clock)


def remote(served: Origin, clock: Clock, timeout_s: float = 5.0) -> TokenVerifier:
    return TokenVerifier("shop", keys=remote_keys(served, clock, timeout_s))


async def test_the_key_set_is_read_once_for_all_who_wait() -> None:
    publisher = Publisher(KEY)
    publisher.wait.clear()
    async with origin(publisher) as served:
        watching = remote(served, Clock())
        waiting = [asyncio.create_task(watching.verify(signed(claims(sub=f"user{n}")))) for n in range(20)]
        await until(lambda: len(served.requests) == 1)
        publisher.wait.set()
        assert {identity.subject for identity in await asyncio.gather(*waiting)} == {f"user{n}" for n in range(20)}
        assert len(served.requests) == 1
        await watching.aclose()


async def test_an_unknown_key_makes_the_set_be_read_again_but_not_at_an_attackers_pace() -> None:
    """A rotated key is never refused: its tokens wait until the source may be asked again."""
    publisher = Publisher(KEY)
    async with origin(publisher) as served:
        watching = TokenVerifier("shop", keys=RemoteKeys(f"{served.url}/jwks", refetch_s=0.3))
        await watching.verify(signed(claims()))
        forged = [asyncio.create_task(watching.verify(signed(claims(), RSA, "RS256"))) for _ in range(50)]
        publisher.publish(OTHER, KEY)
        assert (await watching.verify(signed(claims(), OTHER))).subject == "alice"
        refusals = await asyncio.gather(*forged, return_exceptions=True)
        assert {type(refusal) for refusal in refusals} == {TokenRejected}
        assert len(served.requests) == 2
        await watching.aclose()


async def test_while_the_source_is_away_an_unknown_key_is_no_reason_to_refuse() -> None:
    publisher, clock = Publisher(KEY), Clock()
    async with origin(publisher) as served:
        watching = remote(served, clock)
        await watching.verify(signed(claims()))
        publisher.answer = Answer(503)
        clock.now += 10
        with pytest.raises(IdentityUnavailable, match="may be a new one"):
            await watching.verify(signed(claims(), OTHER))
        await watching.aclose()


async def test_a_key_of_the_set_that_cannot_be_used_leaves_the_others() -> None:
    broken = {"kty": "EC", "crv": "P-256", "x": "?", "y": "?", "kid": "broken"}
    mixed = TokenVerifier("shop", jwks={"keys": [broken, *jwks(KEY)["keys"]]})
    assert (await mixed.verify(signed(claims()))).subject == "alice"
    with pytest.raises(TokenRejected):
        await mixed.verify(signed(claims(), kid="broken"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503),
        Answer(302, fields=((b"Location", b"/elsewhere"),)),
        Answer(200, b"<html>"),
        Answer(200, b'{"keys": []}'),
        Answer(200, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}'),
        Answer(200, b"[" * 100_000),
        Answer(200, b" " * 300_000),
    ],
)
async def test_the_last_good_set_stays_while_its_source_is_away_or_talks_nonsense(answer: Answer) -> None:
    publisher, clock = Publisher(KEY), Clock()
    async with origin(publisher) as served:
        watching = remote(served, clock)
        await watching.verify(signed(claims()))
        publisher.answer = answer
        clock.now += 301
        assert (await watching.verify(signed(claims(sub="bob")))).subject == "bob"
        await until(lambda: len(served.requests) == 2)
        clock.now += 301
        assert (await watching.verify(signed(claims(sub="carol")))).subject == "carol"
        await watching.aclose()


async def test_an_old_set_is_read_again_without_making_anybody_wait() -> None:
    publisher, clock = Publisher(KEY), Clock()
    async with origin(publisher) as served:
        keys = remote_keys(served, clock)
        watching = TokenVerifier("shop", keys=keys)
        await watching.verify(signed(claims()))
        publisher.wait.clear()
        clock.now += 301
        async with asyncio.timeout(1):
            await watching.verify(signed(claims(sub="bob")))
        await until(lambda: len(served.requests) == 2)
        publisher.publish(OTHER)
        publisher.wait.set()
        await until(lambda: keys.known(OTHER.thumbprint()) is not None)
        with pytest.raises(TokenRejected):
            await watching.verify(signed(claims(sub="carol")))
        await watching.aclose()


async def test_a_source_that_was_never_there_makes_identity_unavailable_and_is_asked_again() -> None:
    publisher, clock = Publisher(KEY), Clock()
    publisher.answer = Answer(503)
    async with origin(publisher) as served:
        watching = remote(served, clock)
        with pytest.raises(IdentityUnavailable, match="has been read yet"):
            await watching.verify(signed(claims()))
        publisher.publish(KEY)
        clock.now += 1
        assert (await watching.verify(signed(claims()))).subject == "alice"
        await watching.aclose()


async def test_a_source_that_hangs_is_given_up() -> None:
    publisher = Publisher(KEY)
    publisher.wait.clear()
    async with origin(publisher) as served:
        watching = remote(served, Clock(), timeout_s=0.05)
        with pytest.raises(IdentityUnavailable):
            await watching.verify(signed(claims()))
        await watching.aclose()


def test_a_verifier_without_keys_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="jwks"):
        TokenVerifier("shop")
