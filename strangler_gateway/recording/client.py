"""Sends recorded requests as they are: raw target, no redirects, no cookies of its own, bounded answers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

MAX_ANSWER = 16 * 1024 * 1024


class NoAnswer(Exception):
    """No answer came, or it was late, or too long."""


@dataclass(frozen=True, slots=True)
class ReplayAnswer:
    """In `body`, bytes that are not UTF-8 are replaced."""

    status: int
    fields: list[tuple[bytes, bytes]] = field(repr=False)
    body: str = field(repr=False)


class ReplayClient:
    """Use it in `with`. `origin`: scheme and authority of the server."""

    def __init__(self, base: str, timeout_s: float, transport: httpx.BaseTransport | None = None) -> None:
        url = httpx.URL(base.rstrip("/"))
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL(f"{base} is not an http:// URL")
        self.origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        self._base_path = url.raw_path.decode("ascii").rstrip("/")
        self._http = httpx.Client(
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            transport=transport,
        )
        self._http.headers.clear()

    def __enter__(self) -> "ReplayClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, target: str, fields: Iterable[tuple[str, str]], body: str) -> ReplayAnswer:
        """Raises NoAnswer."""
        whole = target if target == "*" else self._base_path + target
        pairs = (*fields, ("Accept-Encoding", "identity"))
        headers = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in pairs]
        raw = whole.encode("utf-8", "replace")
        try:
            request = self._http.build_request(
                method, self.origin, headers=headers, content=body.encode() or None, extensions={"target": raw}
            )
            response = self._http.send(request, stream=True)
            try:
                return ReplayAnswer(response.status_code, response.headers.raw, _text(response))
            finally:
                response.close()
        except (httpx.HTTPError, ValueError) as exc:
            raise NoAnswer(str(exc) or type(exc).__name__) from exc


def _text(response: httpx.Response) -> str:
    pieces, size = [], 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MAX_ANSWER:
            raise NoAnswer(f"the answer has more than {MAX_ANSWER} bytes")
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "replace")
