"""A gateway whose route /me/overview is answered with several calls, and the upstreams that answer them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import httpx

from strangler_gateway.config.file import load
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.access_log import AccessLog
from tests.support.gateway.exchanges import signer
from tests.support.gateway.publishing import served
from tests.support.origins import Answer, Request, origin

ROUTES = """
version: 1
identity: {jwt: {key_env: TEST_KEY, algorithms: [HS256]}}
services:
  monolith: {url: "http://127.0.0.1:${MONOLITH_PORT}"}
  account: {url: "http://127.0.0.1:${ACCOUNT_PORT}", timeout_s: {connect: 1}}
groups:
  users: {state: "${USERS:-legacy}", share: 50, salt: s}
  teams: {state: "${TEAMS:-legacy}", share: 50, salt: s}
routes:
  - id: overview
    match: {methods: [GET], path: "/me/overview"}
    legacy: monolith
    new: true
    state: "${OVERVIEW:-extracted}"
    share: 50
    salt: s
    aggregate:
      deadline_s: ${DEADLINE_S:-20}
      max_body: 8KiB
      calls:
        user: {path: "/user/@me", pointer: /data, required: true, timeout_s: 20}
        emails:
          path: "/user/{user:/id}/email?all"
          pointer: /data
          fallback: []
          timeout_s: ${TIMEOUT_S:-20}
          max_body: 1KiB
        memberships: {path: "/user/@me/teams", pointer: /data, timeout_s: 20}
        teams: {path: "/team/{each:/id}", each: "memberships:/teams", pointer: /data, timeout_s: 20}
      answer:
        metadata: {marks: "{marks}"}
        data: {user: "{user:}", emails: "{emails:}", teams: "{teams:}", first: "{teams:/0/name}"}
      headers: {Access-Control-Allow-Origin: "*"}
  - {id: user, group: users, match: {methods: [GET], path: "/user/{id}"}, legacy: monolith, extracted: account}
  - {id: emails, group: users, match: {path: "/user/{id}/email"}, legacy: monolith, extracted: account}
  - {id: memberships, group: users, match: {path: "/user/{id}/teams"}, legacy: monolith, extracted: account}
  - {id: team, group: teams, match: {methods: [GET], path: "/team/{id}"}, legacy: monolith, extracted: account}
  - {id: other, match: {methods: [GET], path: "/other"}, legacy: monolith}
  - {id: everything-else, match: {path: "/{rest...}"}, legacy: monolith}
"""

AGGREGATE = """
version: 1
services: {m: {url: "http://m:1"}, s: {url: "http://s:1"}}
groups: {users: {state: "${USERS}"}}
routes:
  - id: overview
    match: {methods: [GET], path: /o}
    legacy: m
    state: extracted
    aggregate: {calls: {u: {path: /user/1}}}
  - {id: user, group: users, match: {path: "/user/{id}"}, legacy: m, extracted: s}
  - {id: rest, match: {path: "/{rest...}"}, legacy: m}
"""
"""An aggregate of one call."""


@dataclass
class World:
    """Answers as both upstreams; `odd`: another answer for a target. `asked`: (side, target), in their order."""

    teams: int = 2
    odd: dict[bytes, Answer] = field(default_factory=dict)
    held: dict[bytes, asyncio.Event] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def answer(self, side: str, request: Request) -> Answer:
        self.asked.append((side, request.target))
        self.requests.append(request)
        if request.target in self.held:
            await self.held[request.target].wait()
        return self.odd.get(request.target) or self._plain(request.target)

    def _plain(self, target: bytes) -> Answer:
        path = target.decode()
        if path == "/user/@me":
            return enveloped({"id": "u 1", "rank": 3})
        if path.endswith("/email?all"):
            return enveloped([{"email": "ada@example.org"}])
        if path.endswith("/teams"):
            return enveloped({"teams": [{"id": n} for n in range(self.teams)]})
        if path.startswith("/team/"):
            return enveloped({"id": path[6:], "name": f"team {path[6:]}"})
        return Answer(404, b'{"message":"Cannot GET"}')


def enveloped(data: object) -> Answer:
    """As a monolith with an envelope answers."""
    return Answer(200, json.dumps({"metadata": {}, "data": data}).encode())


def text(status: int, body: bytes, *fields: tuple[bytes, bytes]) -> Answer:
    """An answer of another kind."""
    return Answer(status, body, fields or ((b"Content-Type", b"text/html"),))


@asynccontextmanager
async def aggregating(
    world: World, routes: str = ROUTES, **environ: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Gateway]]:
    """A gateway of ROUTES in front of the world."""

    async def monolith(request: Request) -> Answer:
        return await world.answer("monolith", request)

    async def account(request: Request) -> Answer:
        return await world.answer("account", request)

    async with origin(monolith) as one, origin(account) as other:
        ports = {"MONOLITH_PORT": str(one.port), "ACCOUNT_PORT": str(other.port)}
        gateway = Gateway(
            Settings.model_validate({"debug_token": "let me see"}),
            load(routes, ports | environ),
            Outside(AccessLog(BytesIO()), signer()),
        )
        async with served(gateway) as client:
            yield client, gateway
