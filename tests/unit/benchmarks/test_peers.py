"""The peers' own programs judge the configurations, where they are installed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common import peers
from benchmarks.common.processes import find_program

Made = Callable[[Path], str]


@pytest.mark.parametrize(
    ("command", "config", "made"),
    [
        ("nginx -t -e error.log -c", "nginx.conf", lambda folder: peers.nginx_proxy(folder, 18081, 18082)),
        ("nginx -t -e error.log -c", "nginx.conf", lambda folder: peers.nginx_origin(folder, 18081, folder)),
        ("haproxy -c -f", "haproxy.cfg", lambda _folder: peers.haproxy(18081, 18082)),
        ("envoy --mode validate -c", "envoy.json", lambda _folder: peers.envoy(18081, 18082)),
    ],
    ids=["nginx as proxy", "nginx as origin", "haproxy", "envoy"],
)
def test_a_peer_accepts_its_configuration(command: str, config: str, made: Made, tmp_path: Path) -> None:
    name, *options = command.split()
    if (program := find_program(name)) is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / config).write_text(made(tmp_path))
    whole = [program, *options, str(tmp_path / config)]
    judged = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert judged.returncode == 0, judged.stderr
