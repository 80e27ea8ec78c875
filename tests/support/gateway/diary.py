"""A tiny monolith to record and to replay against: log in for a token and a cookie, write notes, read them."""

import json
import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD = "correct-horse-9"


class Diary(ThreadingHTTPServer):
    """Ids and tokens are new in each run; `answers` changes what a path gives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tokens: dict[str, str] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        self.next_id = secrets.randbelow(10_000) + 100
        self.seen: list[str] = []
        self.prefix = ""
        """In front of each note's text."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Diary

    def do_GET(self) -> None:
        self._note_request()
        if self.path == "/health":
            return self._answer(200, {"status": "ok"})
        user = self._user()
        if user is None:
            return self._answer(401, {"error": "log in"})
        if self.path == "/me":
            return self._answer(200, {"name": user, "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, user))})
        note = self.server.notes.get(int(self.path.rpartition("/")[2] or 0))
        if note is None:
            return self._answer(404, {"error": "no note"})
        return self._answer(200, note | {"text": self.server.prefix + note["text"]})

    def do_POST(self) -> None:
        self._note_request()
        body = json.loads(self._read())
        if self.path == "/login":
            return self._log_in(body)
        if self._user() is None:
            return self._answer(401, {"error": "log in"})
        self.server.next_id += 1
        note = {"id": self.server.next_id, "ref": str(uuid.uuid4()), "text": body["text"]}
        self.server.notes[self.server.next_id] = note
        return self._answer(201, note, ("Location", f"/notes/{note['id']}"))

    def _log_in(self, body: dict[str, Any]) -> None:
        if body.get("password") != PASSWORD:
            return self._answer(403, {"error": "wrong"})
        token = secrets.token_urlsafe(32)
        self.server.tokens[token] = body["name"]
        return self._answer(200, {"accessToken": token}, ("Set-Cookie", f"session={token}; Path=/; HttpOnly"))

    def _user(self) -> str | None:
        credential = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.server.tokens.get(credential or self.headers.get("Cookie", "").removeprefix("session="))

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _note_request(self) -> None:
        self.server.seen.append(f"{self.command} {self.path}")

    def _answer(self, status: int, value: dict[str, Any], *fields: tuple[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *fields):
            self.send_header(name, text)
        self.send_header("X-Internal-Host", "db-7.internal")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A test's output is its own."""


@contextmanager
def diary() -> Iterator[Diary]:
    """Serves in a thread."""
    with Diary() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
