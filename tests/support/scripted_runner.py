"""A runner that runs nothing: the source says what comes out. It speaks the monolith's `/run` and Runner's `/jobs`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

TOKEN = "between-learning-and-runner-of-the-test-run"
DOUBLE = "double"
"""This source prints twice the number that it reads."""
Ran = Mapping[str, Any]


def ran(source: str, stdin: Sequence[str]) -> Ran:
    """`double`, or the result as JSON: {"stdout": …, "exit_code": …, "status": …}."""
    if source == DOUBLE:
        return ok(f"{2 * int(stdin[0])}\n")
    said: Ran = json.loads(source)
    return {**ok(""), **said}


def ok(stdout: str) -> dict[str, Any]:
    return {
        "status": "ok",
        "exit_code": 0,
        "signal": None,
        "stdout": stdout,
        "stderr": "",
        "truncated": False,
        "cpu_ms": 1,
        "wall_ms": 1,
        "peak_kb": 1,
    }


@dataclass
class ScriptedRunner:
    """`answers`: (status, header fields, body) that come before all others, once each. `jobs`: what was asked so far.

    While `gate` is not set, jobs wait.
    """

    answers: list[tuple[int, Mapping[str, str], bytes]] = field(default_factory=list)
    jobs: list[Mapping[str, Any]] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    most_at_once: int = 0
    port: int = 0
    _lock: Lock = field(default_factory=Lock)
    _at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, authorization: str | None, body: Any) -> tuple[int, Mapping[str, str], bytes]:
        with self._lock:
            self.jobs.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            scripted = self.answers.pop(0) if self.answers else None
        try:
            self.gate.wait(60)
            return scripted or self._answer(path, authorization, body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, path: str, authorization: str | None, body: Any) -> tuple[int, Mapping[str, str], bytes]:
        if path == "/run":
            result = ran(body["sourceCode"], body["stdin"])
            shown = {"stdout": result["stdout"], "stderr": result["stderr"], "exitCode": result["exit_code"]}
            return 201, {}, json.dumps({"metadata": {}, "data": shown}).encode()
        if authorization != f"Bearer {TOKEN}":
            return 401, {}, b"{}"
        results = [ran(body["source"], one["stdin"]) for one in body["inputs"]]
        return 200, {}, json.dumps({"results": results}).encode()


@contextmanager
def scripted_runner() -> Iterator[ScriptedRunner]:
    runner = ScriptedRunner()
    runner.gate.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(runner))
    runner.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield runner
    finally:
        runner.gate.set()
        server.shutdown()
        server.server_close()


def _handler(runner: ScriptedRunner) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, fields, content = runner.answer(self.path, self.headers["Authorization"], body)
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
