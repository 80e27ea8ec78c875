"""Ports for programs that start later: no two processes get the same, and one that ends gives its own back."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parts import ports

COUNT = 40
TAKES = """
import sys
from pathlib import Path
from parts.ports import Ports
own = Ports(Path(sys.argv[1]), int(sys.argv[2]))
print(*(own.take() for _ in range(int(sys.argv[3]))), flush=True)
sys.stdin.read()
"""

LOCKS = """
import sys
from pathlib import Path
from parts.ports import Ports
own = Ports(Path(sys.argv[1]))
print(*(own._lock(int(word)) for word in sys.argv[2:]))
"""


def another(path: Path, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", TAKES, str(path), str(COUNT), str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def taken(process: subprocess.Popen[bytes]) -> set[int]:
    assert process.stdout is not None
    return {int(word) for word in process.stdout.readline().split()}


def test_two_processes_get_different_ports_and_one_that_ends_gives_its_own_back(tmp_path: Path) -> None:
    path = tmp_path / "ports"
    own = ports.Ports(path, COUNT)
    mine = {own.take() for _ in range(15)}
    with another(path, 15) as other:
        theirs = taken(other)
        assert (len(mine), len(theirs), mine & theirs) == (15, 15, set())
        other.communicate()
    with another(path, 15) as next_one:
        assert not taken(next_one) & mine
        next_one.communicate()
    assert mine | {own.take() for _ in range(15)} <= set(range(ports.FIRST, ports.FIRST + COUNT))


def test_a_port_with_a_listener_is_not_given(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not ports._is_free(listener.getsockname()[1])


def test_one_that_takes_many_gives_its_oldest_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "KEPT", 3)
    path = tmp_path / "ports"
    own = ports.Ports(path, COUNT)
    asked = [str(own.take()) for _ in range(4)]
    command = [sys.executable, "-c", LOCKS, str(path), *asked]
    assert subprocess.run(command, capture_output=True, check=True).stdout.split() == [
        b"True",
        b"False",
        b"False",
        b"False",
    ]
