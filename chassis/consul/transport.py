"""One connection to an agent's HTTP API, kept open: what python-consul2 sends through. It belongs to one thread.

In place of the library's own transport (requests), because that one reads proxies, credentials and Consul's address
from the environment, follows redirects, reads answers of any length, and cannot be given up from another thread.
"""

import http.client
import select
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from chassis.consul.settings import ConsulAddress
from chassis.consul.values import ConsulAway, ConsulRefused
from chassis.error_reason import reason

T = TypeVar("T")
MAX_ANSWER = 32 * 1024 * 1024
_TOLD = 200
_HINTS = {
    403: " (the ACL token is unknown, or its policy does not allow this)",
    429: " (each watched service needs a connection: raise the agent's limits.http_max_conns_per_client)",
}
_NOT_FOUND = 404
_CONFLICT = 409
"""A transaction that was not done answers it; its body says why."""


@dataclass(frozen=True, slots=True)
class ConsulAnswer:
    """As the library's callbacks take it."""

    code: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def body(self) -> str:
        return self.content.decode("utf-8", "replace")


class ConsulTransport:
    """`timeout_s` is set before each call: how long each of its reads and writes may take."""

    def __init__(self, address: ConsulAddress, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        self._address = address
        self._tls = tls
        self._connection: http.client.HTTPConnection | None = None
        self._given_up = False
        self.timeout_s = timeout_s
        self.filtered = False
        """Whether the last answer leaves out what the ACL token may not read; only a current agent tells."""

    def get(
        self,
        callback: Callable[[ConsulAnswer], T],
        path: str,
        params: Sequence[tuple[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self._call("GET", callback, path, params, headers)

    def put(
        self,
        callback: Callable[[ConsulAnswer], T],
        path: str,
        params: Sequence[tuple[str, Any]] = (),
        data: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self._call("PUT", callback, path, params, headers, data)

    def delete(
        self,
        callback: Callable[[ConsulAnswer], T],
        path: str,
        params: Sequence[tuple[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self._call("DELETE", callback, path, params, headers)

    def begin(self, timeout_s: float) -> None:
        """Before each call."""
        self.timeout_s = timeout_s
        self._given_up = False

    def is_silent(self, path: str) -> bool:
        """Whether nothing is answered in time. A refused or closed connection is an answer, whatever the reason."""
        try:
            self._exchange("GET", path, b"", {})
        except TimeoutError:
            self.close()
            return True
        except (OSError, http.client.HTTPException):
            self.close()
        return False

    def give_up(self) -> None:
        """From another thread: ends the call that is under way, with ConsulAway."""
        self._given_up = True
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    def close(self) -> None:
        """Closes the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(
        self,
        method: str,
        callback: Callable[[ConsulAnswer], T],
        path: str,
        params: Sequence[tuple[str, Any]],
        headers: Mapping[str, str] | None,
        data: str | bytes = b"",
    ) -> T:
        target = quote(path, safe="/:") + (f"?{urlencode(params)}" if params else "")
        body = data.encode() if isinstance(data, str) else data
        try:
            answer = self._exchange(method, target, body, headers or {})
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConsulAway(f"{self._told(method, path)}: {_reason(error, self.timeout_s)}") from error
        self.filtered = answer.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true"
        self._expect_done(answer, self._told(method, path))
        return callback(answer)

    def _exchange(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> ConsulAnswer:
        connection = self._connected()
        connection.request(method, target, body or None, {**headers, "Content-Length": str(len(body))})
        response = connection.getresponse()
        content = response.read(MAX_ANSWER + 1)
        if len(content) > MAX_ANSWER:
            raise http.client.HTTPException(f"the answer has more than {MAX_ANSWER} bytes")
        if response.will_close:
            self.close()
        return ConsulAnswer(response.status, response.headers, content)

    def _connected(self) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is not None and _is_dropped(connection.sock):
            self.close()
            connection = None
        if connection is None:
            connection = self._connection = self._new()
            connection.connect()
        if self._given_up:
            raise ConnectionAbortedError
        connection.sock.settimeout(self.timeout_s)
        return connection

    def _new(self) -> http.client.HTTPConnection:
        host, port, timeout_s = self._address.host, self._address.port, self.timeout_s
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)

    def _told(self, method: str, path: str) -> str:
        return f"Consul at {self._address}: {method} {path}"

    def _expect_done(self, answer: ConsulAnswer, told: str) -> None:
        """Raises ConsulAway and ConsulRefused."""
        code = answer.code
        if code < 300 or code in (_NOT_FOUND, _CONFLICT):
            return
        said = f"{told} answered {code}: {answer.body[:_TOLD].strip()}{_HINTS.get(code, '')}"
        if code >= 500 or code == http.client.TOO_MANY_REQUESTS:
            raise ConsulAway(said)
        raise ConsulRefused(said, code)


def _is_dropped(sock: socket.socket | None) -> bool:
    """An idle connection that can be read from was closed by the agent."""
    if sock is None:
        return True
    ready = select.poll()
    ready.register(sock, select.POLLIN)
    return bool(ready.poll(0))


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; set the CA file that has signed it"
    return reason(error)
