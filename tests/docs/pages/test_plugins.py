"""docs/plugins.md, followed to the letter in an environment that holds the wheel alone."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import strangler_gateway
from tests.support.wheel import CleanEnvironment, clean_environment

PAGE = (Path(__file__).parents[3] / "docs/plugins.md").read_text(encoding="utf-8")
KEYS = "".join(f"key-{n} user-{n} buyer\n" for n in range(20))
_LISTENING = re.compile(r"listening on (http://[^ ]+) ")


def box(kind: str, number: int = 0) -> str:
    return str(re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[number])


def test_the_page_has_every_public_name() -> None:
    table = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))
    assert table == set(strangler_gateway.__all__)
    assert all(getattr(strangler_gateway, name) is not None for name in strangler_gateway.__all__)


@contextmanager
def answering(word: str) -> Iterator[int]:
    """A server that answers with its name and what it was sent as Authorization."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = json.dumps({"by": word, "key": self.headers["X-Api-Key"], "token": self.headers["Authorization"]})
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return clean_environment(tmp_path_factory.mktemp("clean"))


@contextmanager
def started(clean: CleanEnvironment, command: list[str], **environ: str) -> Iterator[str]:
    """The gateway's URL."""
    options = {"cwd": clean.folder, "env": clean.environ(**environ), "text": True}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options) as process:  # type: ignore[call-overload]
        try:
            listening = _LISTENING.match(process.stdout.readline())
            assert listening is not None
            yield listening[1]
        finally:
            process.terminate()
            assert process.wait(30) == 0


def asked(url: str, key: str | None) -> dict[str, str | None]:
    request = urllib.request.Request(f"{url}/orders", headers={"X-Api-Key": key} if key else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        said: dict[str, str | None] = json.load(answer)
        return said


@pytest.mark.walk
def test_the_plugin_of_the_page_draws_half_of_its_users(clean: CleanEnvironment) -> None:
    files = {"api_keys.py": box("python"), "routes.yaml": box("yaml"), "keys.txt": KEYS}
    for name, text in files.items():
        (clean.folder / name).write_text(text)
    with ExitStack() as stack:
        ports = {f"{name.upper()}_PORT": str(stack.enter_context(answering(name))) for name in ("monolith", "orders")}
        environ = {"PYTHONPATH": ".", "API_KEYS_FILE": "keys.txt", **ports}
        checked = clean.run(clean.strangler, "check", "routes.yaml", **environ)
        assert checked.returncode == 0, checked.stderr
        command = [clean.strangler, "serve", "--routes", "routes.yaml", "--port", "0", "--admin-port", "0"]
        url = stack.enter_context(started(clean, command, **environ))
        first = [asked(url, f"key-{n}") for n in range(20)]
        again = [asked(url, f"key-{n}") for n in range(20)]
        strangers = [asked(url, None), asked(url, "unknown")]
    sides = [answer["by"] for answer in first]
    assert sides == [answer["by"] for answer in again]
    assert set(sides) == {"monolith", "orders"}
    assert [answer["by"] for answer in strangers] == ["monolith", "monolith"]
    assert all(str(answer["token"]).startswith("Bearer ey") for answer in first if answer["by"] == "orders")


@pytest.mark.walk
def test_the_program_of_the_page_serves(clean: CleanEnvironment) -> None:
    (clean.folder / "program.py").write_text(box("python", 1).replace("port=8080", "port=0").replace("8081", "0"))
    (clean.folder / "routes.yaml").write_text(
        'version: 1\nservices: {m: {url: "http://127.0.0.1:${MONOLITH_PORT}"}}\n'
        'routes: [{id: all, match: {path: "/{rest...}"}, legacy: m}]\n'
    )
    with answering("monolith") as port, started(clean, [clean.python, "program.py"], MONOLITH_PORT=str(port)) as url:
        assert asked(url, None)["by"] == "monolith"
