"""Calls the admin API of a running gateway; its answers become exit codes."""

import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import typer

from strangler_gateway.cli.http_call import CallAnswer, CallFailed, call
from strangler_gateway.cli.output import plain

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3

TIMEOUT_S = 20.0
"""Longer than the gateway needs for a preflight, or for a disk that hangs."""
LIVE_TIMEOUT_S = 2.0
"""Of several gateways, one that does not answer within it is passed over."""

Answer = Mapping[str, Any]


class NotAnswered(Exception):
    """A gateway gave no usable answer; the text says why."""


@dataclass(slots=True)
class AdminClient:
    """`admin`: URLs of admin ports, separated by commas; the first that answers is used. `as_json`: results as JSON.

    Without an answer, a method ends the command.
    """

    admin: str
    as_json: bool = False
    _used: str | None = field(default=None, init=False)

    @property
    def urls(self) -> list[str]:
        """One or more."""
        urls = [url.strip().rstrip("/") for url in self.admin.split(",") if url.strip()]
        return urls or self.fail(USAGE, "usage", f"no URL of a gateway; {_WHERE}")

    @property
    def url(self) -> str:
        """The one that is used. Of several, the first that answers when it is asked first."""
        if self._used is None:
            self._used = self.urls[0] if len(self.urls) == 1 else self._first_live()
        return self._used

    def _first_live(self) -> str:
        silent = []
        for url in self.urls:
            problem = self.silence(url)
            if problem is None:
                return url
            silent.append(f"{url}: {problem}")
        return self.fail(UNREACHABLE, "unreachable", f"no gateway answers ({'; '.join(silent)}); {_WHERE}")

    def silence(self, url: str) -> str | None:
        """Why this gateway does not answer; None: it does."""
        try:
            with call("GET", f"{url}/health/live", {}, None, LIVE_TIMEOUT_S) as answer:
                answer.body()
        except CallFailed as exc:
            return str(exc)
        return None

    def post_to(self, url: str, path: str, timeout_s: float, /, **wish: object) -> Answer:
        """As `post`, to this gateway. Raises NotAnswered; also where it refuses the call itself."""
        body = json.dumps(_given({"who": who(), **wish}), ensure_ascii=False).encode()
        try:
            with call("POST", f"{url}/{path}", self._credential(), body, timeout_s) as answer:
                content = json.loads(answer.body())
                if not isinstance(content, dict) or answer.status not in (200, 409):
                    raise NotAnswered(str(content.get("message", answer.reason)))
                return content
        except (CallFailed, ValueError, AttributeError) as exc:
            raise NotAnswered(str(exc)) from exc

    def get(self, path: str, /, **query: str | int | None) -> Answer:
        """What the gateway reports."""
        with self._encodable():
            target = f"{path}?{urlencode(_given(query))}"
        with self._called("GET", target) as answer:
            return self._read(answer)

    def try_get(self, path: str, /, **query: str | int | None) -> Answer | None:
        """As `get`; None if no gateway answers."""
        target = f"{self.url}/{path}?{urlencode(_given(query))}"
        try:
            with call("GET", target, self._credential(), None, TIMEOUT_S) as answer:
                return self._read(answer)
        except CallFailed:
            return None

    def report(self, path: str, /, **query: str | int | None) -> Answer:
        """What the gateway reports, to be shown; as JSON it is printed here, and the command ends."""
        answer = self.get(path, **query)
        self.end_as_json(answer)
        return answer

    def end_as_json(self, answer: Answer, code: int = DONE) -> None:
        """If JSON is wanted, prints the answer and ends the command, with this exit code."""
        if self.as_json:
            print(json.dumps(answer, ensure_ascii=False))
            raise typer.Exit(code)

    def post(self, path: str, /, **wish: object) -> Answer:
        """The result of a request for a change; a refusal (409) is an answer too."""
        with self._called("POST", path, {"who": who(), **wish} if path != "reload" else {}) as answer:
            return self._read(answer)

    @contextmanager
    def stream(self, path: str, /, **wish: object) -> Iterator[Iterator[str]]:
        """The lines of an answer that goes on for as long as it is read."""
        with self._called("POST", path, {"who": who(), **wish}) as answer:
            if answer.status != 200:
                refusal = self._read(answer)
                self.fail(REFUSED, str(refusal.get("error", "refused")), str(refusal.get("message", answer.reason)))
            yield answer.lines()

    @contextmanager
    def _called(self, method: str, target: str, wish: Mapping[str, object] | None = None) -> Iterator[CallAnswer]:
        with self._encodable():
            body = None if wish is None else json.dumps(_given(wish), ensure_ascii=False).encode()
        try:
            with call(method, f"{self.url}/{target}", self._credential(), body, TIMEOUT_S) as answer:
                yield answer
        except CallFailed as exc:
            self.fail(UNREACHABLE, "unreachable", f"no gateway answers at {self.url} ({exc}); {_WHERE}")

    @contextmanager
    def _encodable(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError:
            self.fail(USAGE, "usage", "an argument is not UTF-8 text")

    def _read(self, answer: CallAnswer) -> Answer:
        try:
            content = json.loads(answer.body())
        except ValueError:
            content = None
        if not isinstance(content, dict):
            self.fail(UNREACHABLE, "unreachable", f"the server at {self.url} is not a gateway's admin API; {_WHERE}")
        if answer.status not in (200, 409):
            code = _EXITS.get(answer.status, UNREACHABLE)
            self.fail(code, str(content.get("error", "failed")), str(content.get("message", answer.reason)))
        return content

    def _credential(self) -> dict[str, str]:
        try:
            return credential()
        except (OSError, ValueError) as exc:
            self.fail(USAGE, "token", f"the admin credential cannot be used: {exc}")

    def fail(self, code: int, error: str, message: str) -> NoReturn:
        """Ends the command: a sentence on stderr, or JSON on stdout."""
        fail(code, error, message, self.as_json)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def credential() -> dict[str, str]:
    """The header field that carries the caller's credential, if there is one. Raises OSError, ValueError."""
    token = os.environ.get("STRANGLER_ADMIN_TOKEN", "")
    path = os.environ.get("STRANGLER_ADMIN_TOKEN_FILE")
    token = (Path(path).read_text(encoding="utf-8") if path and not token else token).strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError("it has characters that no header can carry")
    return {"Authorization": f"Bearer {token}"} if token else {}


def fail(code: int, error: str, message: str, as_json: bool) -> NoReturn:
    """Ends a command that cannot do what was asked."""
    if as_json:
        print(json.dumps({"error": error, "message": message}, ensure_ascii=False))
    else:
        print(f"strangler: {plain(message)}", file=sys.stderr)
    raise typer.Exit(code)


def who() -> str:
    """Who asks, as far as this machine knows: user@host."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"[:100]


_WHERE = "name its admin port with --admin or STRANGLER_ADMIN_URL"
_EXITS = {401: REFUSED, 403: REFUSED, 404: USAGE, 405: USAGE, 413: USAGE, 422: USAGE}
