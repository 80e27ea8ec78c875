"""The page of a gateway with traffic, in a real Chromium. Whatever its console complains of fails the test."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from strangler_gateway.table.routes import MigrationState
from tests.support.gateway.administered import OPERATOR, AdminServer
from tests.support.gateway.planned import planned

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PICTURES = Path(".run/page")
WITHIN_MS = 60_000
TOLD_OTHERWISE = "Failed to load resource"
"""The console's word for an answer of 4xx or 5xx, and for none."""
LEFT = "net::ERR_ABORTED"
"""Of a request under way when its page is left."""
CUT = "net::ERR_NETWORK_CHANGED"
"""Chromium cuts all connections when another program gives this machine an address."""
CUT_STREAM = "[object Event]"
"""What htmx tells the console of a stream that was cut."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=WITHIN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A gateway, and browsers that look at its page.

    `complaints`: errors of the console and of scripts, answers of 4xx and 5xx, requests without an answer. A test
    takes out those that it wants; any other fails it.
    """

    def __init__(self, chromium: Browser, server: AdminServer) -> None:
        self._chromium, self.server = chromium, server
        self.complaints: list[str] = []
        self._is_cut = False

    def open(self, path: str = "/ui", *, as_: str | None = OPERATOR, name: str = "Ada", **given: object) -> Page:
        """A page in a browser of its own, after a log-in with that credential."""
        context = self._chromium.new_context(viewport={"width": 1280, "height": 900}, **given)  # type: ignore[arg-type]
        context.on("console", self._listen)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        context.on("response", self._answered)
        context.on("requestfailed", self._unanswered)
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.goto(self.server.url + path)
        if as_ is not None:
            page.fill("[name=name]", name)
            page.fill("[name=credential]", as_)
            page.click("main button")
            page.wait_for_url(lambda url: "/ui/login" not in url)
        return page

    def left(self) -> list[str]:
        """Complaints that are the page's."""
        return [one for one in self.complaints if not (self._is_cut and one == CUT_STREAM)]

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(TOLD_OTHERWISE):
            self.complaints.append(message.text)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url.removeprefix(self.server.url)}")

    def _unanswered(self, request: Request) -> None:
        self._is_cut |= request.failure == CUT
        if request.failure not in (LEFT, CUT):
            self.complaints.append(f"{request.failure} {request.url.removeprefix(self.server.url)}")


class Traffic:
    """Requests as if they had been served, in a thread."""

    def __init__(self, server: AdminServer) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._over.wait(0.05):
            number += 1
            for route in self._server.migration.served.routes:
                counts, moved = self._server.world.stats.route(route.id), route.movable.state
                new = {MigrationState.CANARY: 2, MigrationState.EXTRACTED: 20}.get(moved, 0)
                counts.legacy, counts.extracted = counts.legacy + 20 - new, counts.extracted + new
                counts.durations_legacy[60 + number % 7] += 20 - new
                counts.durations_extracted[55 + number % 5] += new


class QueueService(ThreadingHTTPServer):
    """A service with a queue, of which operators can have a letter sent again. `acted`: what it was told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _QueueHandler)
        self.acted: list[tuple[str, dict[str, str]]] = []
        self.parked = [{"id": "letter-7", "what": "welcome", "why": "no reply", "at": "2026-11-30T21:00:00Z"}]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class _QueueHandler(BaseHTTPRequestHandler):
    server: QueueService

    def do_GET(self) -> None:
        actions = [{"name": "retry", "path": "/letters/{id}/again", "warns": "It may arrive twice."}]
        queue = {"name": "letters", "waiting": len(self.server.parked), "oldest_s": 4000, "state": "parked"}
        self._say({"queues": [{**queue, "parked": self.server.parked, "actions": actions}, {"name": "outbox"}]})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.acted.append((self.path, said))
        self.server.parked = []
        self._say({})

    def _say(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A test's output is its own."""


@pytest.fixture
def letters() -> Iterator[QueueService]:
    with QueueService() as service:
        yield service
        service.shutdown()


@pytest.fixture
def visit(chromium: Browser, tmp_path: Path, letters: QueueService) -> Iterator[Visit]:
    server, secret = AdminServer(tmp_path), tmp_path / "token"
    secret.write_text("of-the-service")
    server.world.edit(*planned())
    operators = f'operators: {{path: /internal/queues, token_file: "{secret}"}}'
    url = f"http://127.0.0.1:{letters.server_port}"
    server.world.edit("services:\n", f'services:\n  letters: {{url: "{url}", {operators}}}\n')
    with server, Traffic(server):
        visited = Visit(chromium, server)
        yield visited
        for context in chromium.contexts:
            context.close()
        assert visited.left() == []
