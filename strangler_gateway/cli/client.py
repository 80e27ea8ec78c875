"""Calls the admin API of a running gateway; its answers become exit codes."""

import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import typer

from strangler_gateway.cli.http_call import CallAnswer, CallFailed, call
from strangler_gateway.cli.output import plain

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3

TIMEOUT_S = 20.0
"""Longer than the gateway needs for a preflight, or for a disk that hangs."""

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AdminClient:
    """The gateway's admin URL; `as_json`: print results as JSON. Without an answer, a method ends the command."""

    admin: str
    as_json: bool = False

    def get(self, path: str, /, **query: str | int | None) -> Answer:
        """What the gateway reports."""
        with self._encodable():
            target = f"{path}?{urlencode(_given(query))}"
        with self._called("GET", target) as answer:
            return self._read(answer)

    def try_get(self, path: str, /, **query: str | int | None) -> Answer | None:
        """As `get`; None if no gateway answers."""
        target = f"{self.admin.rstrip('/')}/{path}?{urlencode(_given(query))}"
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

    def end_as_json(self, answer: Answer) -> None:
        """If JSON is wanted, prints the answer and ends the command."""
        if self.as_json:
            print(json.dumps(answer, ensure_ascii=False))
            raise typer.Exit(DONE)

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
            with call(method, f"{self.admin.rstrip('/')}/{target}", self._credential(), body, TIMEOUT_S) as answer:
                yield answer
        except CallFailed as exc:
            self.fail(UNREACHABLE, "unreachable", f"no gateway answers at {self.admin} ({exc}); {_WHERE}")

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
            self.fail(UNREACHABLE, "unreachable", f"the server at {self.admin} is not a gateway's admin API; {_WHERE}")
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
