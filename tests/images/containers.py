"""Containers under test: their health, their end, and compose.yaml as a whole."""

import fcntl
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

from images.__main__ import folder as images_folder
from images.engine import ROOT, Engine, run
from parts.ports import free_port

WITHIN_S = 180.0
POLL_S = 0.2
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=10001:10001")
COMPOSE: Mapping[str, Any] = {
    name: service
    for name, service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].items()
    if "profiles" not in service
}
"""What starts without a profile."""
ONCE = {name for name in COMPOSE if name.endswith("-tables")}
SERVING = sorted(COMPOSE.keys() - ONCE)
PORTS = ("GATEWAY_PORT", "GATEWAY_ADMIN_PORT", "GATEWAY_2_PORT", "GATEWAY_2_ADMIN_PORT")


def eventually(happens: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """`what` is asked for when it fails."""
    deadline = time.monotonic() + WITHIN_S
    while not happens():
        assert time.monotonic() < deadline, f"not in {WITHIN_S:g} s: {what() if callable(what) else what}"
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
        """By the image's or compose.yaml's own health check; of Podman its command, which nothing runs, in any time."""
        if self.engine.command == "podman":
            kind, *command = self.inspect()["Config"]["Healthcheck"]["Test"]
            assert kind == "CMD", kind
            return self.can(*command)
        return bool(self.inspect()["State"]["Health"]["Status"] == "healthy")

    def becomes_healthy(self) -> None:
        eventually(self.is_healthy, lambda: f"{self.inspect()['Name']} healthy; its log ends:\n{self.log()[-2000:]}")

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
    """compose.yaml as it stands, under a name and on ports of its own. `ports`: by the variables of compose.yaml."""

    engine: Engine
    project: str
    secrets: Path
    ports: Mapping[str, int]
    options: tuple[str, ...] = ()

    def url(self, variable: str = "GATEWAY_PORT") -> str:
        return f"http://127.0.0.1:{self.ports[variable]}"

    def compose(self, *words: str) -> str:
        environ = {name: str(port) for name, port in self.ports.items()} | {"SECRETS_DIR": str(self.secrets)}
        command = [*self.engine.compose, "--project-name", self.project, *self.options, *words]
        return run(command, {**self.engine.environ, **environ})

    def strangler(self, *words: str, gateway: str = "gateway") -> str:
        return self.container(gateway).execute("strangler", *words)

    def route(self, route_id: str, gateway: str = "gateway") -> Any:
        routes = json.loads(self.strangler("routes", "--json", gateway=gateway))["routes"]
        return next(route for route in routes if route["id"] == route_id)

    def extract(self, group: str, *, shadow: bool = True) -> None:
        """`--force`: nobody has called yet."""
        for step in ([["shadow"]] if shadow else []) + [["canary", "--share", "100"], ["extracted"]]:
            self.strangler("flip", group, "--to", *step, "--why", "a test", "--force")

    def container(self, service: str) -> Container:
        labels = {"com.docker.compose.project": self.project, "com.docker.compose.service": service}
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        (found,) = self.engine.run("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        return Container(self.engine, found)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()


@contextmanager
def running(engine: Engine, folder: Path, *services: str, options: tuple[str, ...] = ()) -> Iterator[System]:
    """Started by one command, as an operator would; nothing of it is left at the end, volumes included.

    `services`: these alone; default: all. `options`: of compose. Podman gets no dependencies (docs/deploying.md).
    """
    run(["sh", str(ROOT / "deploy/new-secrets.sh"), str(folder / "secrets")], {})
    project = f"images-test-{os.getpid()}-{secrets.token_hex(3)}"
    system = System(engine, project, folder / "secrets", {name: free_port() for name in PORTS}, options)
    with _no_other_system():
        try:
            system.compose("up", "--detach", *(["--no-deps"] if engine.command == "podman" else []), *services)
            for service in set(services or COMPOSE) - ONCE:
                system.container(service).becomes_healthy()
            yield system
        finally:
            system.compose("down", "--volumes")


@contextmanager
def _no_other_system() -> Iterator[None]:
    """Waits for it: Podman's name server loses questions in all networks while containers start and end."""
    with (images_folder() / "system-under-test.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
