"""Calls from one gateway to another, over the admin port: with a token of the shared key, bounded and timed."""

import asyncio
import json
from collections.abc import Mapping
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

    def __init__(self, name: str, tokens: Tokens, timeout_s: float = TIMEOUT_S) -> None:
        import httpx  # megabytes: only who has other gateways pays for it

        self._name, self._tokens, self._timeout_s = name, tokens, timeout_s
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
        return answer

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


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, LookupError, TypeError, RecursionError):
        return "no message"
