"""What the gateway is told about a token: who may ask, and each answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from starlette.responses import PlainTextResponse

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity, IdentityUnavailable
from chassis.auth.tokens import TokenVerifier
from chassis.store import StoreUnavailable
from extracted.account.sessions.api.internal import MOST_BYTES, application
from strangler_gateway.identity.signer import Signer
from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.account.sessions.world import KEYS, SessionWorld, opened

GATEWAY = Signer([ECKey.generate_key("P-256", private=True)])


@pytest.fixture
async def world(tmp_path: Any) -> AsyncIterator[SessionWorld]:
    async with opened(MonolithFile(tmp_path / "monolith.sqlite3")) as world:
        yield world


def client(world: SessionWorld) -> httpx.AsyncClient:
    verifier = TokenVerifier("account", jwks=GATEWAY.jwks())
    app = application(PlainTextResponse("another path"), world.sessions(), verifier)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://account")


def internal(user_id: str, audience: str = "account") -> str:
    return GATEWAY.token(Identity(AuthenticationOutcome.USER, user_id), audience).decode()


async def asked(world: SessionWorld, authorization: str | None) -> httpx.Response:
    async with client(world) as http:
        headers = {} if authorization is None else {"Authorization": authorization}
        return await http.get("/internal/identity", headers=headers)


async def exchanged(world: SessionWorld, caller: str, body: bytes | dict[str, Any]) -> httpx.Response:
    async with client(world) as http:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {caller}"}
        return await http.post("/internal/credentials", headers=headers, content=content)


async def test_a_good_token_has_a_user_roles_and_an_end(world: SessionWorld) -> None:
    user = world.data.add_user("guest", "user")
    token = KEYS.token(user)
    answer = await asked(world, f"Bearer {token.decode()}")
    verified = await world.sessions().tokens.verify(token)
    told = {"id": user, "roles": ["guest", "user"], "expiresAt": int(verified.expires_at.timestamp())}
    assert (answer.status_code, answer.json()) == (200, told)


async def test_any_other_token_is_401_and_no_answer_shows_it(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    ended = KEYS.token(user, "ended")
    await world.store.end(await world.sessions().tokens.verify(ended))
    bad = [ended, KEYS.token(user, typ="ID"), internal(user).encode(), world.data.login(user).encode(), b"x" * 70_000]
    for token in bad:
        answer = await asked(world, f"Bearer {token.decode()}")
        assert answer.status_code == 401
        assert token.decode() not in answer.text
    assert [(await asked(world, one)).status_code for one in (None, "", "Bearer", "Bearer a b")] == [401] * 4


async def test_a_token_is_exchanged_for_its_own_user(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    token = KEYS.token(user).decode()
    first, again = [await exchanged(world, internal(user), {"token": token}) for _ in range(2)]
    assert first.status_code == 200
    assert first.json() == again.json()
    assert first.json().keys() == {"credential", "expiresAt"}


async def test_nobody_but_the_gateway_exchanges(world: SessionWorld) -> None:
    """401: by an internal token for another service, of nobody, of another signer, or by the user's own tokens."""
    user = world.data.add_user("user")
    token = KEYS.token(user).decode()
    other = Signer([ECKey.generate_key("P-256", private=True)])
    callers = [
        "",
        token,
        world.data.login(user),
        internal(user, "shop"),
        GATEWAY.token(NOBODY, "account").decode(),
        GATEWAY.token(Identity(AuthenticationOutcome.REJECTED), "account").decode(),
        other.token(Identity(AuthenticationOutcome.USER, user), "account").decode(),
    ]
    assert [(await exchanged(world, caller, {"token": token})).status_code for caller in callers] == [401] * 7


async def test_a_token_that_is_not_good_or_of_another_user_is_403(world: SessionWorld) -> None:
    user, admin = world.data.add_user("user"), world.data.add_user("admin")
    ended = KEYS.token(user, "ended")
    await world.store.end(await world.sessions().tokens.verify(ended))
    for token in (KEYS.token(admin), ended, KEYS.token(user, exp=1), KEYS.token(user, azp="other"), b"", b"a.b.c"):
        answer = await exchanged(world, internal(user), {"token": token.decode()})
        assert answer.status_code == 403
        assert not token or token.decode() not in answer.text


ODD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "deep": b"[" * 20_000,
    "no object": b'["token"]',
    "no token": b"{}",
    "a token that is no text": b'{"token": ["a"]}',
    "a token in another script": '{"token": "т"}'.encode(),
    "a lone surrogate": b'{"token": "\\ud800"}',
    "no UTF-8": b'{"token": "\xff"}',
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
async def test_an_odd_body_is_400(world: SessionWorld, body: bytes) -> None:
    assert (await exchanged(world, internal(world.data.add_user()), body)).status_code == 400


async def test_a_body_is_read_to_its_limit_alone(world: SessionWorld) -> None:
    body = b'{"token": "' + b"a" * MOST_BYTES + b'"}'
    assert (await exchanged(world, internal(world.data.add_user()), body)).status_code == 413


async def test_of_two_tokens_in_a_body_the_last_one_counts(world: SessionWorld) -> None:
    """So a second one is verified like any other, and cannot be of another user."""
    user, other = world.data.add_user("user"), world.data.add_user("admin")
    own, foreign = KEYS.token(user).decode(), KEYS.token(other).decode()
    answers = [
        await exchanged(world, internal(user), f'{{"token": "{one}", "token": "{two}"}}'.encode())
        for one, two in ((own, foreign), (foreign, own))
    ]
    assert [answer.status_code for answer in answers] == [403, 200]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), IdentityUnavailable("no keys")], ids=["tables", "keys"])
async def test_while_nobody_can_be_asked_nobody_is_rejected(world: SessionWorld, error: Exception) -> None:
    world.activity.error = error
    user = world.data.add_user("user")
    token = KEYS.token(user).decode()
    for answer in (await asked(world, f"Bearer {token}"), await exchanged(world, internal(user), {"token": token})):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
