"""One HTTP call with the standard library: importing a full client takes longer than a whole command may."""

import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit

from chassis.error_reason import reason


class CallFailed(Exception):
    """No HTTP answer came, or it broke off; the text says why."""


class CallAnswer:
    """An answer whose head has arrived. Reading its body raises CallFailed."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status, self.reason = response.status, response.reason
        self._response = response

    def body(self) -> bytes:
        """The whole body."""
        with _translated():
            return self._response.read()

    def lines(self) -> Iterator[str]:
        """The body's lines, as they arrive."""
        while True:
            with _translated():
                line = self._response.readline().decode()
            if not line:
                return
            yield line.rstrip("\r\n")


@contextmanager
def call(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
) -> Iterator[CallAnswer]:
    """Sends a request (with a body: JSON) and follows no redirect; ignores proxies. Raises CallFailed."""
    with _translated():
        parts = urlsplit(url)
        connection = _connection(parts, timeout_s)
    with closing(connection):
        with _translated():
            content = {"Content-Type": "application/json"} if body is not None else {}
            target = parts._replace(scheme="", netloc="", fragment="").geturl()
            connection.request(method, target, body, {**content, **headers, **_password(parts)})
            response = connection.getresponse()
        with response:
            yield CallAnswer(response)


def _connection(parts: SplitResult, timeout_s: float) -> HTTPConnection:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("its URL must begin with http:// or https:// and contain a host")
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    return HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=_trusted())


def _trusted() -> ssl.SSLContext:
    from httpx import create_ssl_context  # only https pays for the import

    return create_ssl_context(trust_env=False)


def _password(parts: SplitResult) -> dict[str, str]:
    """The credential in the URL itself, for a proxy in front of the admin port."""
    pair, at, _ = parts.netloc.rpartition("@")
    return {"Authorization": f"Basic {b64encode(unquote(pair).encode()).decode()}"} if at else {}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (HTTPException, OSError, ValueError) as exc:
        raise CallFailed(reason(exc)) from exc
