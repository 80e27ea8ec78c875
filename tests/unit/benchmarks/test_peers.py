"""The peers' own programs judge the configurations, where they are installed."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.processes import find_program


def program(name: str) -> str:
    found = find_program(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def accepted(command: list[str]) -> None:
    judged = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize("kind", ["proxy", "origin"])
def test_nginx_accepts_its_configuration(kind: str, tmp_path: Path) -> None:
    nginx = program("nginx")
    config = tmp_path / "nginx.conf"
    made = (
        peers.nginx_proxy(tmp_path, 18081, 18082) if kind == "proxy" else peers.nginx_origin(tmp_path, 18081, tmp_path)
    )
    config.write_text(made)
    accepted([nginx, "-t", "-e", str(tmp_path / "error.log"), "-c", str(config)])


def test_haproxy_accepts_its_configuration(tmp_path: Path) -> None:
    haproxy = program("haproxy")
    config = tmp_path / "haproxy.cfg"
    config.write_text(peers.haproxy(18081, 18082))
    accepted([haproxy, "-c", "-f", str(config)])


def test_envoy_accepts_its_configuration(tmp_path: Path) -> None:
    envoy = program("envoy")
    config = tmp_path / "envoy.json"
    config.write_text(peers.envoy(18081, 18082))
    accepted([envoy, "--mode", "validate", "-c", str(config)])
