"""The authority behind another proxy: whom it lets pass, and which request it takes the question for."""

import asyncio

import httpx
import pytest

from examples.authority.app import application
from strangler_gateway.config.file import load
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.signer import ephemeral_signer
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.telemetry.log_throttle import LogThrottle

TABLE = load(
    """
version: 1
services: {monolith: {url: "http://127.0.0.1:1"}, items: {url: "http://127.0.0.1:2"}}
groups: {all: {state: extracted}}
routes:
  - id: closed
    group: all
    match: {methods: [GET], path: "/closed"}
    legacy: monolith
    extracted: items
    auth: {require: authenticated, enforce: gateway}
  - {id: open, group: all, match: {methods: [GET], path: "/open"}, legacy: monolith, extracted: items}
  - {id: last, match: {path: "/{rest...}"}, legacy: monolith}
""",
    {},
)


async def ask(path: str, headers: dict[str, str], *, named: bool) -> httpx.Response:
    signer = ephemeral_signer()
    app = application(Matcher(TABLE), Authority((), signer, LogThrottle()), signer, named=named)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://authority") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("path", "named", "status", "has_token"),
    [
        ("/closed", None, 401, False),
        ("/open", None, 200, True),
        ("/other", None, 200, False),
        ("/ask", "/open", 200, True),
    ],
)
def test_a_service_gets_a_token_and_the_monolith_none(
    path: str, named: str | None, status: int, has_token: bool
) -> None:
    headers = {"X-Original-Method": "GET", "X-Original-URI": named} if named else {}
    answer = asyncio.run(ask(path, headers, named=named is not None))
    assert (answer.status_code, "authorization" in answer.headers) == (status, has_token)


def test_a_client_names_no_other_request() -> None:
    other = {"X-Original-Method": "GET", "X-Original-URI": "/open"}
    assert asyncio.run(ask("/closed", other, named=False)).status_code == 401
