"""A container with systemd as its first process, and the gateway installed in it as the units in deploy/ say."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from images.build import PLAIN_GATEWAY
from images.engine import ROOT, Engine
from images.stand_ins import build_from
from tests.images.containers import Container, eventually

NAME = "localhost/strangler-systemd"
DOCKERFILE = f"""FROM python:3.12-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends systemd \\
    && rm -rf /var/lib/apt/lists/* && useradd --system strangler && install -d -o strangler /etc/strangler
COPY --from={PLAIN_GATEWAY.name} /opt/venv /opt/venv
RUN ln -s /opt/venv /opt/strangler
COPY --chown=strangler:strangler routes.yaml /etc/strangler/
COPY --chmod=600 operator_token /etc/strangler/
COPY strangler-gateway.service strangler-gateway@.service /etc/systemd/system/
COPY monolith.py client.py /root/
CMD ["sh", "-c", "mount --make-rshared / && exec /lib/systemd/systemd"]
"""
"""A machine's mounts are shared; a container's are not, and then a service does not see its credentials."""
FILES = {
    "routes.yaml": """version: 1
services:
  monolith: {url: "http://127.0.0.1:3000"}
groups:
  all: {state: legacy}
routes:
  - {id: everything, group: all, match: {path: "/{rest...}"}, legacy: monolith, extracted: monolith}
""",
    "operator_token": "an-operators-token-for-the-test",
    "monolith.py": """import http.server
class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
http.server.ThreadingHTTPServer(("127.0.0.1", 3000), Answers).serve_forever()
""",
    "client.py": """import http.client, json, pathlib
answered, failed = 0, []
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=30)
while not failed and not pathlib.Path("/root/enough").exists():
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok"), answer.status
        answered += 1
    except (OSError, http.client.HTTPException, AssertionError) as error:
        failed.append(repr(error))
    pathlib.Path("/root/answered").write_text(str(answered))
print(json.dumps([answered, failed]))
""",
}
ENGINES = {"podman": ("--systemd=always",), "docker": ("--cgroupns=private", "--tmpfs=/run", "--tmpfs=/run/lock")}
CONTROL = ("env", "STRANGLER_ADMIN_TOKEN_FILE=/etc/strangler/operator_token", "/opt/strangler/bin/strangler")


class Machine(Container):
    """What looks like one, to the units."""

    def systemctl(self, *words: str) -> str:
        return self.execute("systemctl", *words)

    def strangler(self, *words: str) -> str:
        return self.execute(*CONTROL, *words)

    def shows(self, unit: str, *names: str) -> list[str]:
        """Of the unit's properties."""
        return [self.systemctl("show", "--value", f"--property={name}", unit).strip() for name in names]

    def serves(self) -> bool:
        code = "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/', timeout=5)"
        return self.can("python", "-c", code)

    def journal(self, unit: str) -> str:
        return self.execute("journalctl", "--no-pager", f"--unit={unit}")

    @contextmanager
    def under_load(self) -> Iterator[Future[str]]:
        """One client that asks until it fails or the block ends; its result: [answered, failed] as JSON."""
        with ThreadPoolExecutor(1) as pool:
            client = pool.submit(self.execute, "python", "/root/client.py")
            try:
                self.more_answers()
                yield client
            finally:
                self.execute("touch", "/root/enough")

    def more_answers(self, number: int = 20) -> None:
        """Waits until the client has so many more."""
        wanted = self._answered() + number
        eventually(lambda: self._answered() >= wanted, f"{number} more answers")

    def _answered(self) -> int:
        return int(self.execute("sh", "-c", "cat /root/answered 2>/dev/null || echo 0").strip() or 0)


@contextmanager
def machine(engine: Engine) -> Iterator[Machine]:
    """Running, with the upstream behind the gateway; gone at the end."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in FILES.items():
            (folder / file).write_text(text)
        units = {path.name: path for path in ROOT.glob("deploy/*.service")}
        build_from(engine, NAME, DOCKERFILE, {file: folder / file for file in FILES} | units)
    options = ("--detach", "--privileged", "--network=none", *ENGINES[engine.command])
    found = Machine(engine, engine.run("run", *options, NAME).split()[-1])
    try:
        eventually(lambda: "running" in state(found), f"systemd is up; its log:\n{found.log()}")
        found.execute("systemd-run", "--unit=monolith", "python", "/root/monolith.py")
        yield found
    finally:
        engine.run("rm", "--force", "--volumes", found.id)


def state(of: Machine) -> str:
    """`running`, or what systemd is at."""
    return of.execute("sh", "-c", "systemctl is-system-running || true")


def decoded(client: Future[str]) -> Any:
    return json.loads(client.result(timeout=60))
