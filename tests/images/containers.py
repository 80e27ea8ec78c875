"""Containers under test: their health, their end, and compose.yaml as a whole."""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from images.engine import ROOT, Engine, run
from parts.ports import free_port

WITHIN_S = 90.0
POLL_S = 0.2
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=10001:10001")
COMPOSE: Mapping[str, Any] = {
    name: service
    for name, service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].items()
    if "profiles" not in service
}
"""What starts without a profile: no image of another registry."""
ONCE = {name for name in COMPOSE if name.endswith("-tables")}
SERVING = sorted(COMPOSE.keys() - ONCE)


def eventually(happens: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happens():
        assert time.monotonic() < deadline, f"not in {WITHIN_S:g} s: {what}"
        time.sleep(POLL_S)


@dataclass(frozen=True)
class Container:
    """One container, running or ended."""

    engine: Engine
    id: str

    def inspect(self) -> Any:
        return json.loads(self.engine.run("inspect", self.id))[0]

    def execute(self, *command: str) -> str:
        return self.engine.run("exec", self.id, *command)

    def can(self, *command: str) -> bool:
        return self.engine.succeeds("exec", self.id, *command)

    def is_healthy(self) -> bool:
        """By the image's or compose.yaml's own health check; Podman without systemd runs it only when asked."""
        if self.engine.command == "podman":
            return self.engine.succeeds("healthcheck", "run", self.id)
        return bool(self.inspect()["State"]["Health"]["Status"] == "healthy")

    def becomes_healthy(self) -> None:
        eventually(self.is_healthy, f"healthy; its log ends:\n{self.log()[-2000:]}")

    def log(self) -> str:
        """Standard output and standard error."""
        return run(["sh", "-c", f'"{self.engine.command}" logs "$1" 2>&1', "sh", self.id], self.engine.environ)

    def port(self, inside: int) -> int:
        return int(self.engine.run("port", self.id, f"{inside}/tcp").splitlines()[0].rpartition(":")[2])

    def stop(self) -> int:
        """The exit code; 137 if it had to be killed."""
        self.engine.run("stop", self.id)
        return int(self.inspect()["State"]["ExitCode"])


@contextmanager
def started(engine: Engine, image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """A container of its own, which is gone at the end."""
    container = Container(engine, engine.run("run", "--detach", *HARDENED, *options, image, *command).split()[-1])
    try:
        yield container
    finally:
        engine.run("rm", "--force", "--volumes", container.id)


@dataclass(frozen=True)
class System:
    """compose.yaml as it stands, under a name and on ports of its own."""

    engine: Engine
    project: str
    secrets: Path
    port: int
    admin_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str) -> str:
        environ = {
            "SECRETS_DIR": str(self.secrets),
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_ADMIN_PORT": str(self.admin_port),
        }
        return run([*self.engine.compose, "--project-name", self.project, *words], {**self.engine.environ, **environ})

    def container(self, service: str) -> Container:
        labels = {"com.docker.compose.project": self.project, "com.docker.compose.service": service}
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        (found,) = self.engine.run("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        return Container(self.engine, found)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()


@contextmanager
def running(engine: Engine, folder: Path) -> Iterator[System]:
    """Started by one command, as an operator would; nothing of it is left at the end, volumes included."""
    run(["sh", str(ROOT / "deploy/new-secrets.sh"), str(folder / "secrets")], {})
    project = f"images-test-{os.getpid()}-{secrets.token_hex(3)}"
    system = System(engine, project, folder / "secrets", free_port(), free_port())
    try:
        system.compose("up", "--detach")
        for service in SERVING:
            system.container(service).becomes_healthy()
        yield system
    finally:
        system.compose("down", "--volumes")
