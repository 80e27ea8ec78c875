"""The service as the gateway sees it: a signed token in, the monolith's answer out. Copy it with the service."""

import asyncio
import time
from collections.abc import Mapping

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chassis.auth.tokens import TokenVerifier
from examples.service.main import Settings, build

AUDIENCE = Settings.model_fields["audience"].default
KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "one"})
OTHER = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "one"})


def get(path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    async def answer() -> httpx.Response:
        app = build(TokenVerifier(AUDIENCE, jwks=KeySet([KEY]).as_dict(private=False)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://whoami") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(answer())


def token(key: ECKey = KEY, **claims: object) -> Mapping[str, str]:
    now = int(time.time())
    whole = {
        "iss": "strangler",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "roles": [],
        "outcome": "user",
        "sub": "ada",
    }
    signed = jwt.encode({"alg": "ES256", "kid": "one"}, whole | claims, key, algorithms=["ES256"])
    return {"Authorization": f"Bearer {signed}"}


def test_it_answers_who_the_gateway_says_it_is() -> None:
    answer = get("/whoami", token())
    assert (answer.status_code, answer.json()) == (200, {"user": "ada"})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nonsense"}, token(OTHER), token(aud="another"), token(exp=1), {"X-User": "ada"}],
)
def test_it_believes_nobody_else(headers: Mapping[str, str]) -> None:
    answer = get("/whoami", headers)
    assert (answer.status_code, answer.json()) == (401, {"user": None})


def test_it_tells_that_it_lives_and_is_ready() -> None:
    assert [get(f"/health/{which}").status_code for which in ("live", "ready")] == [200, 200]
