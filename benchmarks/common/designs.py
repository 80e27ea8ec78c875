"""The proxies under test, each started alone on the proxy's core; a peer that is not installed is None."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import peers
from benchmarks.common.migration import KEY_ENV, BenchmarkUser, routes_yaml
from benchmarks.common.processes import (
    BenchmarkProcess,
    Cores,
    find_program,
    start,
    wait_for_output,
    wait_until_accepts,
)
from parts.ports import free_port

ROOT = Path(__file__).parents[2]
_LISTENING = rb"listening on http://[^:\s]+:(\d+)"


@dataclass(frozen=True, slots=True)
class Design:
    """A running proxy."""

    name: str
    port: int
    child: BenchmarkProcess


@dataclass(frozen=True, slots=True)
class Stage:
    """What every design stands before: two upstreams, a caller, two cores, a folder for its files.

    The end of `closing` ends what is started.
    """

    closing: ExitStack
    folder: Path
    cores: Cores | None
    caller: BenchmarkUser
    origin_port: int
    sink_port: int

    def start(self, name: str, command: list[str], environ: Mapping[str, str] | None = None) -> BenchmarkProcess:
        return start(self.closing, name, command, self.folder, self.cores.proxy if self.cores else None, environ)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


Starter = Callable[[Stage], Design | None]


def gateway(
    stage: Stage,
    name: str = "gateway",
    wrapper: tuple[str, ...] = (),
    python: str = sys.executable,
    routes_text: str | None = None,
    options: tuple[str, ...] = (),
) -> Design:
    """The gateway. `wrapper`: interpreter options and module that run its command line inside; `options`: its own."""
    routes = stage.write("routes.yaml", routes_text or routes_yaml(stage.origin_port, stage.sink_port))
    command = [python, *(wrapper or ("-m", "strangler_gateway.cli.app")), "serve", "--routes", str(routes)]
    command += ["--port", "0", "--admin-port", "0", "--state-dir", str(stage.folder / f"{name}.state"), *options]
    child = stage.start(name, command, {KEY_ENV: stage.caller.key})
    return Design(name, int(wait_for_output(child, _LISTENING)[1]), child)


def compiled(stage: Stage, routes_text: str | None = None) -> Design | None:
    """The gateway of the compiled wheel, where `make bench` has installed it: it must not find the sources."""
    python = ROOT / "build/compiled/venv/bin/python"
    if not python.exists():
        return None
    show = "import strangler_gateway.server.connection as module; print(module.__file__)"
    # Isolated: the checkout that this runs in has the sources.
    loaded = subprocess.run([python, "-I", "-c", show], capture_output=True, text=True, check=True).stdout
    if not loaded.strip().endswith(".so"):
        return None
    return gateway(stage, "compiled", ("-I", "-m", "strangler_gateway.cli.app"), str(python), routes_text)


def naive(stage: Stage) -> Design:
    port = free_port()
    upstream = f"http://127.0.0.1:{stage.origin_port}"
    return _accepting(
        stage.start("naive", [sys.executable, "-m", "benchmarks.common.naive", str(port), upstream]), port
    )


def floor(stage: Stage) -> Design:
    port = free_port()
    return _accepting(
        stage.start("floor", [sys.executable, "-m", "benchmarks.common.floor", str(port), str(stage.origin_port)]), port
    )


def nginx(stage: Stage) -> Design | None:
    program, port = find_program("nginx"), free_port()
    if program is None:
        return None
    folder = stage.folder / "nginx-proxy"
    folder.mkdir()
    config = stage.write("nginx-proxy.conf", peers.nginx_proxy(folder, port, stage.origin_port))
    return _accepting(stage.start("nginx", [program, "-e", str(folder / "error.log"), "-c", str(config)]), port)


def haproxy(stage: Stage) -> Design | None:
    program, port = find_program("haproxy"), free_port()
    if program is None:
        return None
    config = stage.write("haproxy.cfg", peers.haproxy(port, stage.origin_port))
    return _accepting(stage.start("haproxy", [program, "-db", "-f", str(config)]), port)


def envoy(stage: Stage) -> Design | None:
    program, port = find_program("envoy"), free_port()
    if program is None:
        return None
    config = stage.write("envoy.json", peers.envoy(port, stage.origin_port))
    command = [program, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    return _accepting(stage.start("envoy", command), port)


def _accepting(child: BenchmarkProcess, port: int) -> Design:
    wait_until_accepts(child, port)
    return Design(child.name, port, child)


STARTERS: dict[str, Starter] = {
    "gateway": gateway,
    "compiled": compiled,
    "naive": naive,
    "floor": floor,
    "nginx": nginx,
    "haproxy": haproxy,
    "envoy": envoy,
}
