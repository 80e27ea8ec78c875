"""Tells people: a signed POST to a webhook, and a command that gets the same JSON. No move waits for it.

Every message is a task of its own with a bounded number of tries; beyond MOST_WAITING the next ones are dropped, and
the log says so.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from strangler_gateway.plans.notices import Notice
from strangler_gateway.table.rules.plan import PlanRules

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
PAUSES_S = (1.0, 4.0, 15.0, 60.0, 300.0)
"""Between the tries."""
MOST_WAITING = 200
LAST_S = 2.0
"""How long what is on its way may still take when the process ends."""
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ")
"""What a command gets of ours: no secret is among it."""


class NoticeLost(Exception):
    """The message has not arrived. `again`: another try may help."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.again = again


class PlanNotifier:
    """`secret` signs what goes to webhooks; `gateway`: this one's name; `wall` tells Unix seconds."""

    def __init__(
        self,
        secret: str | None,
        gateway: str,
        wall: Callable[[], float],
        *,
        pauses_s: Sequence[float] = PAUSES_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._secret, self._gateway, self._wall = secret, gateway, wall
        self._pauses_s, self._timeout_s = pauses_s, timeout_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: Any = None

    def tell(self, rules: PlanRules, notice: Notice) -> None:
        """Begins to tell everybody whom the plan names; never waits."""
        said = {"id": secrets.token_hex(8), "gateway": self._gateway, **notice.to_json()}
        body = json.dumps(said, ensure_ascii=False).encode()
        if url := rules.notify.webhook:
            self._begin(f"the webhook at {_origin(url)}", lambda: self._post(url, said["id"], body))
        if command := rules.notify.command:
            self._begin(f"the command {command[0]}", lambda: self._run(command, body))

    async def aclose(self) -> None:
        """Gives what is on its way a moment, then ends it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _begin(self, whom: str, send: Callable[[], Awaitable[None]]) -> None:
        if len(self._tasks) >= MOST_WAITING:
            log.warning("%s is not told: %d messages are waiting already", whom, len(self._tasks))
            return
        task = asyncio.create_task(self._try(whom, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, whom: str, send: Callable[[], Awaitable[None]]) -> None:
        for pause_s in (*self._pauses_s, None):
            try:
                await send()
                return
            except NoticeLost as exc:
                if pause_s is None or not exc.again:
                    log.warning("%s is not told: %s", whom, exc)
                    return
                log.info("%s is told again in %g s: %s", whom, pause_s, exc)
                await asyncio.sleep(pause_s)

    async def _post(self, url: str, delivery: str, body: bytes) -> None:
        import httpx  # megabytes: only who has a webhook pays for it

        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False, timeout=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._status(url, self._fields(delivery, body), body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as exc:
            raise NoticeLost(f"no answer ({type(exc).__name__})") from None  # the text may show the URL
        if not 200 <= status < 300:
            raise NoticeLost(f"it answers {status}", again=status >= 500 or status in (408, 429))

    async def _status(self, url: str, fields: dict[str, str], body: bytes) -> int:
        """Without reading the answer's body."""
        async with self._client.stream("POST", url, content=body, headers=fields) as response:
            return int(response.status_code)

    def _fields(self, delivery: str, body: bytes) -> dict[str, str]:
        """`Strangler-Signature`: HMAC-SHA256 of timestamp, a dot and the body."""
        timestamp = str(int(self._wall()))
        fields = {
            "Content-Type": "application/json",
            "Strangler-Delivery": delivery,
            "Strangler-Timestamp": timestamp,
        }
        if self._secret:
            fields["Strangler-Signature"] = f"sha256={signature(self._secret, timestamp, body)}"
        return fields

    async def _run(self, command: Sequence[str], body: bytes) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        nowhere = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=nowhere,
                stderr=nowhere,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            raise NoticeLost(f"it cannot be started ({exc})", again=False) from None
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.communicate(body)
        except TimeoutError:
            raise NoticeLost(f"it has not ended within {self._timeout_s:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode:
            raise NoticeLost(f"it has ended with {process.returncode}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What a receiver has to compare with, in hexadecimal."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _origin(url: str) -> str:
    """Without the path: in many services it is the secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
