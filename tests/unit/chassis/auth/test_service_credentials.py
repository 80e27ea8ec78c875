"""What a service sends to another one: a shared token, or one of the identity server, renewed in time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from chassis.auth.service_credentials import (
    PAUSE_S,
    ClientCredentials,
    CredentialUnavailable,
    OAuthClient,
    SharedToken,
)

SECRET = "a-secret+of/the client"
CLIENT = OAuthClient("http://keycloak.test/token", "polycode-account", SECRET)
LIFETIME_S = 100


@dataclass
class IdentityServer:
    """Gives numbered tokens; `answer` instead, if it is set. It waits for `open`."""

    asked: list[httpx.Request] = field(default_factory=list)
    answer: httpx.Response | Exception | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    now: float = 1000.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        number = len(self.asked)
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or httpx.Response(
            200, json={"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": LIFETIME_S}
        )


@asynccontextmanager
async def credentials(*, is_open: bool = True) -> AsyncIterator[tuple[ClientCredentials, IdentityServer]]:
    server = IdentityServer()
    if is_open:
        server.open.set()
    made = ClientCredentials(CLIENT, clock=lambda: server.now, transport=httpx.MockTransport(server), timeout_s=5)
    try:
        yield made, server
    finally:
        await made.aclose()


async def settled() -> None:
    """What was asked in the background has come."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_shared_token_is_always_the_same() -> None:
    shared = SharedToken("of-both")
    assert await shared.authorization() == "Bearer of-both"
    assert not shared.refused("Bearer of-both")


async def test_all_who_wait_share_one_question_as_the_standard_has_it() -> None:
    async with credentials(is_open=False) as (own, server):
        waiting = [asyncio.create_task(own.authorization()) for _ in range(50)]
        await settled()
        waiting[0].cancel()
        server.open.set()
        assert {await one for one in waiting[1:]} == {"Bearer token-1"}
    (asked,) = server.asked
    assert (asked.method, asked.content) == ("POST", b"grant_type=client_credentials")
    id_and_secret = httpx.BasicAuth("polycode-account", "a-secret%2Bof%2Fthe+client")  # RFC 6749 §2.3.1
    assert asked.headers["authorization"] == next(id_and_secret.auth_flow(asked)).headers["authorization"]


async def test_a_token_is_renewed_before_its_end_and_nobody_waits_for_it() -> None:
    async with credentials() as (own, server):
        assert await own.authorization() == "Bearer token-1"
        server.now += LIFETIME_S * 0.69
        assert await own.authorization() == "Bearer token-1"
        assert len(server.asked) == 1
        server.now += LIFETIME_S * 0.02
        server.open.clear()
        assert {await own.authorization() for _ in range(20)} == {"Bearer token-1"}
        server.now += 2 * PAUSE_S
        assert await own.authorization() == "Bearer token-1"
        await settled()
        assert len(server.asked) == 2, "asked again before there was an answer"
        server.open.set()
        await settled()
        assert await own.authorization() == "Bearer token-2"
    assert len(server.asked) == 2


async def test_while_the_identity_server_is_away_the_token_is_used_to_its_end_and_then_none() -> None:
    async with credentials() as (own, server):
        await own.authorization()
        server.answer = httpx.ConnectError("away")
        for part in (0.8, 0.9, 0.94):
            server.now = 1000 + LIFETIME_S * part
            assert await own.authorization() == "Bearer token-1"
            await settled()
        server.now = 1000 + LIFETIME_S
        with pytest.raises(CredentialUnavailable, match="no token for polycode-account: away"):
            await own.authorization()
        asked = len(server.asked)
        with pytest.raises(CredentialUnavailable):
            await own.authorization()
        assert len(server.asked) == asked, "asked again without a pause"
        server.answer = None
        server.now += PAUSE_S
        assert await own.authorization() == f"Bearer token-{asked + 1}"


async def test_a_token_that_the_other_service_refuses_is_replaced_but_not_in_a_loop() -> None:
    async with credentials() as (own, server):
        first = await own.authorization()
        assert not own.refused(first), "a new token would not do either"
        server.now += PAUSE_S
        assert own.refused(first)
        second = await own.authorization()
        assert second == "Bearer token-2"
        assert own.refused(first), "another one is there already"
        assert await own.authorization() == second


TOKEN = {"access_token": "t", "token_type": "bearer", "expires_in": 60}


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, {"error": "invalid_client", "error_description": "…"}, "refuses: invalid_client"),
        (500, {}, "holds no token .500."),
        (404, TOKEN, "holds no token .404."),
        (200, [], "holds no token"),
        (200, TOKEN | {"token_type": "mac"}, "holds no token"),
        (200, TOKEN | {"access_token": "a\r\nb"}, "holds no token"),
        (200, TOKEN | {"access_token": "é"}, "holds no token"),
        (200, TOKEN | {"expires_in": 0}, "no token"),
        (200, {"more": "x" * 70_000}, "more than"),
    ],
)
async def test_an_answer_without_a_token_says_so_and_shows_no_secret(status: int, body: Any, why: str) -> None:
    async with credentials() as (own, server):
        server.answer = httpx.Response(status, content=json.dumps(body))
        with pytest.raises(CredentialUnavailable, match=why) as raised:
            await own.authorization()
    assert SECRET not in f"{raised.value!r} {CLIENT!r}"


@pytest.mark.parametrize(("told", "used_s"), [(10_000_000, 3600 * 0.95), (None, 60 * 0.95), (True, 60 * 0.95)])
async def test_a_lifetime_is_bounded(told: object, used_s: float) -> None:
    async with credentials() as (own, server):
        server.answer = httpx.Response(200, content=json.dumps(TOKEN | {"expires_in": told}))
        await own.authorization()
        server.answer = httpx.ConnectError("away")
        server.now += used_s - 1
        assert await own.authorization() == "Bearer t"
        await settled()
        server.now += 1.1
        with pytest.raises(CredentialUnavailable):
            await own.authorization()
