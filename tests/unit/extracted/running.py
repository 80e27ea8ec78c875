"""A service as its users meet it: a process of its own, and the gateway's keys under an address."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Thread
from time import monotonic
from typing import Any

from joserfc.jwk import ECKey

from chassis.auth.claims import NOBODY, Identity
from strangler_gateway.identity.signer import Signer

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 60
ROOT = Path(__file__).resolve().parents[3]
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """Header names in lower case; a name that came twice is joined."""

    status: int
    headers: dict[str, str]
    body: bytes


class Gateway:
    """What a service needs of the gateway: its key set, and tokens signed with it."""

    def __init__(self) -> None:
        key = ECKey.generate_key("P-256", private=True)
        self.signing_key = key.as_pem(private=True).decode()
        self.signer = Signer([key])
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.jwks_url = f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def authorization(self, identity: Identity, audience: str) -> Headers:
        return {"Authorization": f"Bearer {self.signer.token(identity, audience).decode()}"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        body = json.dumps(self.signer.jwks()).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@dataclass(frozen=True)
class RunningService:
    """`gateway` signs who calls."""

    name: str
    port: int
    process: "subprocess.Popen[str]"
    gateway: Gateway
    log: Path

    def logged(self) -> list[dict[str, object]]:
        """What it has written to standard error so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def ask(
        self,
        target: str,
        identity: Identity = NOBODY,
        *,
        method: str = "GET",
        headers: Headers | None = None,
        body: bytes | None = None,
    ) -> Answer:
        return ask(
            self.port, target, method, {**self.gateway.authorization(identity, self.name), **(headers or {})}, body
        )


def ask(port: int, target: str, method: str, headers: Headers, body: bytes | None = None) -> Answer:
    """Sends the target as it is; http.client would refuse only blanks in it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        if body is not None and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        joined: dict[str, str] = {}
        for name, value in response.getheaders():
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
        return Answer(response.status, joined, response.read())
    finally:
        connection.close()


@contextmanager
def running_service(name: str, database_url: str, gateway: Gateway, **variables: str) -> Iterator[RunningService]:
    """`variables` are further settings, by their names without the service's prefix."""
    prefix = f"{name.upper()}_"
    environ = {variable: value for variable, value in os.environ.items() if not variable.startswith(prefix)}
    own = {"DATABASE_URL": database_url, "JWKS_URL": gateway.jwks_url} | variables
    environ |= {f"{prefix}{variable}": value for variable, value in own.items()}
    command = [sys.executable, "-m", f"extracted.{name}", "--port", "0"]
    with (
        NamedTemporaryFile() as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield RunningService(name, announced_port(process), process, gateway, Path(log.name))
        finally:
            stop(process)


def stop(process: "subprocess.Popen[Any]") -> int:
    """SIGTERM, then the exit code; killed when it does not end in time."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def announced_port(process: "subprocess.Popen[str]") -> int:
    """Where it says that it listens, as soon as it does."""
    assert process.stdout is not None
    deadline = monotonic() + START_TIMEOUT_S
    ready, _, _ = select.select([process.stdout], [], [], deadline - monotonic())
    line = process.stdout.readline() if ready else ""
    assert line.startswith("listening on http://127.0.0.1:"), f"the service said {line!r} instead of where it listens"
    return int(line.rpartition(":")[2])
