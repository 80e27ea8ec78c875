"""People who use PolyCode all the while: they log in, read, and notice every answer that is not as it was before."""

import asyncio
import itertools
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx

ANSWER_WITHIN_S = 10.0


@dataclass(slots=True)
class Noticed:
    """What all clients together have seen so far. A failure: no answer, another status, another body than before."""

    answers: int = 0
    failures: int = 0
    examples: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    def failure(self, sentence: str) -> None:
        """Counts it; the last few are kept in words."""
        self.failures += 1
        self.examples.append(sentence)


@dataclass(frozen=True, slots=True)
class Call:
    """A read that is repeated: its path and the status that the contract promises to this client."""

    path: str
    status: int


class Client:
    """One person with an own connection. Raises httpx.HTTPError and ValueError where the log-in fails."""

    def __init__(self, url: str, noticed: Noticed) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=ANSWER_WITHIN_S, trust_env=False)
        self._noticed = noticed
        self._first: dict[str, str] = {}
        self.user = ""

    async def log_in(self, identity: str, secret: str) -> None:
        """With the monolith's own credentials, through the gateway."""
        answer = await self._post("/auth/token", grantType="implicit", identity=identity, secret=secret)
        self._http.headers["Authorization"] = f"Bearer {answer['accessToken']}"
        self.user = (await self.read("/user/@me"))["id"]

    async def sign_up(self) -> None:
        """A new account, logged in."""
        name, secret = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe()
        await self._post("/user", username=name, email=f"{name}@example.org", password=secret)
        await self.log_in(f"{name}@example.org", secret)

    async def read(self, path: str) -> Any:
        """`data` of an answer."""
        return data_of(await self._http.get(path))

    async def items(self) -> list[str]:
        """Ids of the shop's items (an admin sees them)."""
        return [item["id"] for item in await self.read("/item")]

    async def call_for_ever(self, calls: list[Call], pause_s: float) -> None:
        """One call after another; what is odd goes to `noticed`."""
        for call in itertools.cycle(calls):
            await self._call(call)
            await asyncio.sleep(pause_s)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()

    async def _call(self, call: Call) -> None:
        try:
            answer = await self._http.get(call.path)
        except httpx.HTTPError as error:
            self._noticed.failure(f"GET {call.path}: {type(error).__name__} {error}")
        else:
            self._noticed.answers += 1
            self._compare(call, answer)

    def _compare(self, call: Call, answer: httpx.Response) -> None:
        before = self._first.setdefault(call.path, answer.text)
        if answer.status_code != call.status:
            self._noticed.failure(f"GET {call.path}: {answer.status_code} instead of {call.status}")
        elif answer.text != before:
            self._noticed.failure(f"GET {call.path}: {answer.text[:200]} instead of {before[:200]}")

    async def _post(self, path: str, **body: str) -> Any:
        return data_of(await self._http.post(path, json=body))


def data_of(answer: httpx.Response) -> Any:
    """`data` of the monolith's envelope. Raises ValueError for a refusal."""
    if answer.is_error:
        raise ValueError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
    return answer.json()["data"]
