"""Speaks to a running gateway's admin API; its answers become exit codes."""

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

import httpx
import typer

from strangler_gateway.cli.output import plain

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3

TIMEOUT_S = 20.0
"""Longer than the gateway takes for a preflight, or for a disk that hangs."""

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """Where the gateway is, and how the outcome is to be told. Methods end the command where there is no answer."""

    admin: str
    as_json: bool = False

    def get(self, call: str, **query: str | int | None) -> Answer:
        """What the gateway shows."""
        return self._answer("GET", call, params={name: value for name, value in query.items() if value is not None})

    def post(self, call: str, **asked: object) -> Answer:
        """What became of a wish; a refusal (409) is an answer too."""
        named = {"who": who(), **asked} if call != "reload" else {}
        return self._answer("POST", call, json={name: value for name, value in named.items() if value is not None})

    @contextmanager
    def stream(self, call: str, **asked: object) -> Iterator[Iterator[str]]:
        """The lines of an answer that goes on for as long as it is read."""
        url = f"{self.admin.rstrip('/')}/{call}"
        content = {"who": who(), **{name: value for name, value in asked.items() if value is not None}}
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client,
                client.stream("POST", url, headers=self._credential(), json=content) as response,
            ):
                if response.status_code != 200:
                    response.read()
                    self._refused(response)
                yield response.iter_lines()
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            self._unreachable(exc)

    def _refused(self, response: httpx.Response) -> NoReturn:
        """Where an answer was expected that is no JSON object, 409 is a refusal like any other."""
        answer = self._read(response) if response.status_code != 409 else response.json()
        self.fail(REFUSED, str(answer.get("error", "refused")), str(answer.get("message", response.reason_phrase)))

    def _unreachable(self, exc: Exception) -> NoReturn:
        reason = str(exc) or type(exc).__name__
        self.fail(UNREACHABLE, "unreachable", f"no gateway answers at {self.admin} ({reason}); {_WHERE}")

    def _answer(self, method: str, call: str, **content: Any) -> Answer:
        url = f"{self.admin.rstrip('/')}/{call}"
        try:
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
                response = client.request(method, url, headers=self._credential(), **content)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            self._unreachable(exc)
        except UnicodeError:
            self.fail(USAGE, "usage", "an argument is no text in UTF-8")
        return self._read(response)

    def _read(self, response: httpx.Response) -> Answer:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.fail(
                UNREACHABLE, "unreachable", f"what answers at {self.admin} is no admin API of a gateway; {_WHERE}"
            )
        if response.status_code not in (200, 409):
            code = _EXITS.get(response.status_code, UNREACHABLE)
            self.fail(code, str(answer.get("error", "failed")), str(answer.get("message", response.reason_phrase)))
        return answer

    def _credential(self) -> dict[str, str]:
        try:
            return credential()
        except (OSError, ValueError) as exc:
            self.fail(USAGE, "token", f"the admin credential cannot be used: {exc}")

    def fail(self, code: int, error: str, message: str) -> NoReturn:
        """Ends the command: a sentence on stderr, or JSON on stdout."""
        fail(code, error, message, self.as_json)


def credential() -> dict[str, str]:
    """The header field that carries the caller's credential, if there is one. Raises OSError, ValueError."""
    token = os.environ.get("STRANGLER_ADMIN_TOKEN", "")
    path = os.environ.get("STRANGLER_ADMIN_TOKEN_FILE")
    token = (Path(path).read_text(encoding="utf-8") if path and not token else token).strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError("it has characters that no header can carry")
    return {"Authorization": f"Bearer {token}"} if token else {}


def fail(code: int, error: str, message: str, as_json: bool) -> NoReturn:
    """Ends a command that came to nothing."""
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
