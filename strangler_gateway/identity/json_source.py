"""A URL that is asked about credentials, and answers in JSON."""

import asyncio
import json
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

from chassis.auth.claims import IdentityUnavailable

MAX_BYTES = 64 * 1024
MAX_CONNECTIONS = 32
OK = 200

Headers = list[tuple[bytes, bytes]]


class JsonSource:
    """Holds its own connections; keeps no cookie, follows no redirect, uses no proxy of the environment."""

    def __init__(self, url: str, timeout_s: float) -> None:
        import httpx  # megabytes: only who asks a URL pays for it

        self.url = url
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def ask(self, headers: Headers, document: object = None) -> tuple[int, bytes]:
        """Status, and the body of a 200; POST where there is a document. Raises IdentityUnavailable."""
        import httpx

        sent = [*headers, (b"accept", b"application/json")]
        content = None
        if document is not None:
            sent.append((b"content-type", b"application/json"))
            content = json.dumps(document).encode()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask("GET" if content is None else "POST", sent, content)
        except (httpx.HTTPError, TimeoutError, RuntimeError) as error:
            raise IdentityUnavailable(f"{self.url} gave no usable answer: {type(error).__name__}") from error

    async def _ask(self, method: str, headers: Headers, content: bytes | None) -> tuple[int, bytes]:
        body = b""
        async with self._client.stream(method, self.url, headers=headers, content=content) as response:
            if response.status_code == OK:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise IdentityUnavailable(f"{self.url} answered more than {MAX_BYTES} bytes")
            return response.status_code, body

    def read(self, body: bytes) -> Any:
        """The JSON of a 200. Raises IdentityUnavailable."""
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise IdentityUnavailable(f"{self.url} answered 200 without JSON; is it the right URL?") from None

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
