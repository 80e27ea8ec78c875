"""The client of the services' operations APIs. Errors end the command with an exit code."""

import getpass
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
import typer

from chassis.error_reason import reason
from extracted.cli import text

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3
TIMEOUT_S = 30.0
SERVICES = {
    "account": "http://127.0.0.1:8103",
    "shop": "http://127.0.0.1:8102",
    "learning": "http://127.0.0.1:8106",
    "mailer": "http://127.0.0.1:8104",
}
"""Default addresses; POLYCODE_…_URL overrides them."""
_CREDENTIAL = "POLYCODE_OPERATOR_TOKEN"
_EXITS = {400: USAGE, 413: USAGE, 422: USAGE}

JsonObject = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OperationsClient:
    """Calls one service. Without a valid answer its methods end the command. `below`: the prefix of all paths."""

    service: str
    as_json: bool = False
    below: str = "/internal/"

    @property
    def url(self) -> str:
        """The address from the environment, or the default."""
        return (os.environ.get(self._variable) or SERVICES[self.service]).rstrip("/")

    @property
    def is_configured(self) -> bool:
        """True if the environment names its address."""
        return bool(os.environ.get(self._variable))

    def get(self, path: str, **query: object) -> JsonObject:
        """Reads."""
        return self._answer("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, **asked: object) -> JsonObject:
        """Changes."""
        return self._answer("POST", path, json=asked)

    def pages(self, path: str, rows: str, **query: object) -> Iterator[JsonObject]:
        """All rows of a list, page after page."""
        after: object = None
        while True:
            answer = self.get(path, after=after, **query)
            yield from answer[rows]
            after = answer["next"]
            if after is None:
                return

    def fail(self, code: int, message: str) -> NoReturn:
        """Ends the command with an error message, as text or JSON."""
        text.fail(code, self.service, message, self.as_json)

    def _answer(self, method: str, path: str, **content: Any) -> JsonObject:
        url, headers = self._checked_url(), self._headers()
        try:
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
                response = client.request(method, f"{url}{self.below}{path}", headers=headers, **content)
        except UnicodeError:
            self.fail(USAGE, "an argument is not UTF-8 text")
        except httpx.HTTPError as error:
            self.fail(UNREACHABLE, f"no answer from {url} ({_why(error)}); check {self._variable}")
        return self._read(response)

    @property
    def _variable(self) -> str:
        return f"POLYCODE_{self.service.upper()}_URL"

    def _checked_url(self) -> str:
        """The address. Fails if it is not that of an HTTP server."""
        try:
            parts = httpx.URL(self.url)
        except (httpx.InvalidURL, UnicodeError):
            parts = httpx.URL()
        if parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.fragment:
            self.fail(USAGE, f'{self._variable}: "{self.url}" is not an address like {SERVICES[self.service]}')
        return self.url

    def _read(self, response: httpx.Response) -> JsonObject:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        content = answer if isinstance(answer, dict) else {}
        if response.status_code != 200 or not content:
            self._refused(response.status_code, content)
        return content

    def _refused(self, status: int, content: JsonObject) -> NoReturn:
        """Fails with the service's own message, if any. A 404 of its public routes: it has no operations API."""
        if status == 401:
            self.fail(REFUSED, f"{self.url} refuses the credential; check {_CREDENTIAL} or {_CREDENTIAL}_FILE")
        if status == 404 and ("error" not in content or "statusCode" in content):
            self.fail(
                REFUSED,
                f"{self.url} has no operations API; start the service with {self.service.upper()}_OPERATOR_TOKEN",
            )
        message = content.get("error", "this is not an answer of the service")
        self.fail(
            UNREACHABLE if status >= 500 else _EXITS.get(status, REFUSED), f"{message} ({status} from {self.url})"
        )

    def _headers(self) -> dict[str, str]:
        token = os.environ.get(_CREDENTIAL, "").strip()
        file = os.environ.get(f"{_CREDENTIAL}_FILE")
        if not token and file:
            try:
                token = Path(file).read_text(errors="replace").strip()
            except OSError as error:
                self.fail(USAGE, f"{_CREDENTIAL}_FILE: {file} cannot be read ({reason(error)})")
        if not (token.isascii() and token.isprintable()):
            self.fail(USAGE, f"{_CREDENTIAL} has characters that no header can carry")
        return {"Authorization": f"Bearer {token}"} if token else {}


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"not within {TIMEOUT_S:g} s"
    return "it does not accept connections" if isinstance(error, httpx.ConnectError) else "the connection broke"


def of_each(services: Iterable[str], ask: Callable[[str], T]) -> tuple[dict[str, T], int]:
    """The answers of those that answer, and the exit code. The others have printed an error."""
    found, code = {}, DONE
    for name in services:
        try:
            found[name] = ask(name)
        except typer.Exit as ended:
            code = max(code, ended.exit_code)
    return found, code


def operator_name() -> str:
    """Of who runs the command, on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an operator"
