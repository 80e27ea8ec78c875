"""Clients of PolyCode: they log in, read, and record every answer that differs from the first one."""

import asyncio
import itertools
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx

ANSWER_WITHIN_S = 30.0


class CallFailed(Exception):
    """There was no answer, or an unexpected one; the observations have the sentence."""


@dataclass(slots=True)
class Observations:
    """What all clients observed. A failure is no answer, a wrong status or a changed body."""

    answers: int = 0
    failures: int = 0
    examples: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    def failure(self, sentence: str) -> None:
        """Counts a failure and keeps the last few sentences."""
        self.failures += 1
        self.examples.append(sentence)


@dataclass(frozen=True, slots=True)
class RepeatedRead:
    """A read to repeat: its path, and the status that this client must get."""

    path: str
    status: int


class DemoClient:
    """One user with one connection. Log-in and sign-up raise httpx.HTTPError and ValueError."""

    def __init__(self, url: str, observed: Observations, address: str = "") -> None:
        """`address`: where a load balancer would say that this client is."""
        fields = {"X-Forwarded-For": address} if address else {}
        self._http = httpx.AsyncClient(base_url=url, timeout=ANSWER_WITHIN_S, trust_env=False, headers=fields)
        self._observed = observed
        self._first: dict[str, str] = {}
        self.user = ""

    async def log_in(self, identity: str, secret: str) -> None:
        """Logs in, whoever serves that at present."""
        answer = await self._post("/auth/token", grantType="implicit", identity=identity, secret=secret)
        self.present(answer["accessToken"])
        self.user = (await self.read("/user/@me"))["id"]

    def present(self, token: str) -> None:
        """Sends this access token from now on."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    async def sign_up(self) -> None:
        """Creates an account and logs in."""
        name, secret = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe()
        await self._post("/user", username=name, email=f"{name}@example.org", password=secret)
        await self.log_in(f"{name}@example.org", secret)

    async def call(self, method: str, path: str, *expected: int, body: Any = None, key: str = "") -> httpx.Response:
        """The answer to one request; `key` is an idempotency key. Raises CallFailed unless the status is expected."""
        fields = {"Idempotency-Key": key} if key else {}
        try:
            answer = await self._http.request(method, path, json=body, headers=fields)
        except httpx.HTTPError as error:
            raise self.failed(f"{method} {path}: {type(error).__name__} {error}") from error
        if answer.status_code not in expected:
            wanted = " or ".join(map(str, expected))
            raise self.failed(f"{method} {path}: {answer.status_code} instead of {wanted}: {answer.text[:200]}")
        self._observed.answers += 1
        return answer

    def failed(self, sentence: str) -> CallFailed:
        """Keeps what this client found to be wrong; to be raised."""
        self._observed.failure(sentence)
        return CallFailed(sentence)

    async def read(self, path: str) -> Any:
        """`data` of an answer."""
        return data_of(await self._http.get(path))

    async def items(self) -> list[str]:
        """Ids of the shop's items; only an admin may list them."""
        return [item["id"] for item in await self.read("/item")]

    async def read_for_ever(self, reads: list[RepeatedRead], pause_s: float) -> None:
        """Reads one path after another, without end; failures go to the observations."""
        for read in itertools.cycle(reads):
            await self._read(read)
            await asyncio.sleep(pause_s)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()

    async def _read(self, read: RepeatedRead) -> None:
        try:
            answer = await self._http.get(read.path)
        except httpx.HTTPError as error:
            self._observed.failure(f"GET {read.path}: {type(error).__name__} {error}")
        else:
            self._observed.answers += 1
            self._compare(read, answer)

    def _compare(self, read: RepeatedRead, answer: httpx.Response) -> None:
        before = self._first.setdefault(read.path, answer.text)
        if answer.status_code != read.status:
            self._observed.failure(f"GET {read.path}: {answer.status_code} instead of {read.status}")
        elif answer.text != before:
            self._observed.failure(f"GET {read.path}: {answer.text[:200]} instead of {before[:200]}")

    async def _post(self, path: str, **body: str) -> Any:
        return data_of(await self._http.post(path, json=body))


def data_of(answer: httpx.Response) -> Any:
    """`data` of the monolith's envelope. Raises ValueError for a refusal."""
    if answer.is_error:
        raise ValueError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
    return answer.json()["data"]
