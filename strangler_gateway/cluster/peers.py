"""Calls from one gateway to another, over the admin port: with a token of the shared key, bounded and timed."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from strangler_gateway.cluster.member import ClusterMember

TIMEOUT_S = 2.0
MAX_ANSWER = 8 << 20
PATH = "/gateways/"
"""All calls between gateways begin with it."""


class PeerAway(Exception):
    """Another gateway gave no usable answer; the text says why, without a secret."""


class Tokens(Protocol):
    """Signs as this gateway."""

    def gateway_token(self, name: str) -> str:
        """A short-lived JWT."""
        ...


class Peers:
    """`name`: how this gateway is called. A connection for each call: one that was kept may be dead when it counts."""

    def __init__(
        self, name: str, tokens: Tokens, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.time
    ) -> None:
        import httpx  # megabytes: only who has other gateways pays for it

        self._name, self._tokens, self._timeout_s, self._clock = name, tokens, timeout_s, clock
        self._heard: dict[str, float] = {}
        """By gateway, when it answered last, in Unix seconds."""
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=timeout_s, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def ask(self, member: ClusterMember, call: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer of another gateway, an object. Raises PeerAway."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = json.loads(await self._body(member.admin.rstrip("/") + PATH + call, question))
        except Exception as exc:  # whatever the library raises: no rollback fails because another gateway does
            raise PeerAway(f"{member.name} at {member.admin}: {exc or type(exc).__name__}") from exc
        if not isinstance(answer, dict):
            raise PeerAway(f"{member.name} at {member.admin}: its answer is no object")
        self._heard[member.name] = self._clock()
        return answer

    async def ask_all(
        self, members: Iterable[ClusterMember], call: str, question: Mapping[str, Any]
    ) -> dict[str, Mapping[str, Any] | PeerAway]:
        """By name, the answer of each gateway or why it gave none; all are asked at once."""
        asked = list(members)
        answers = await asyncio.gather(*(self._asked(one, call, question) for one in asked))
        return {one.name: answer for one, answer in zip(asked, answers, strict=True)}

    async def _asked(
        self, member: ClusterMember, call: str, question: Mapping[str, Any]
    ) -> Mapping[str, Any] | PeerAway:
        try:
            return await self.ask(member, call, question)
        except PeerAway as exc:
            return exc

    def silent(self, name: str, why: PeerAway) -> str:
        """`no counters from gw2 since 12:01:30 UTC (gw2 at http://…: timed out)`."""
        heard = self._heard.get(name)
        return f"no counters from {name}{f' since {clock_time(heard)}' if heard else ''} ({why})"

    async def _body(self, url: str, question: Mapping[str, Any]) -> bytes:
        fields = {"Authorization": f"Bearer {self._tokens.gateway_token(self._name)}"}
        body = b""
        async with self._client.stream("POST", url, json=dict(question), headers=fields) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise ValueError(f"it answers more than {MAX_ANSWER} bytes")
            if response.status_code != 200:
                raise ValueError(f"it answers {response.status_code}: {_message(body)}")
        return body

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def clock_time(at: float) -> str:
    """`12:01:30 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, LookupError, TypeError, RecursionError):
        return "no message"
