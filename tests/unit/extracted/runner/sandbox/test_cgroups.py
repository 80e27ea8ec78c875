"""The drivers for control groups on a folder that stands for the kernel's, and how their place is found."""

import errno
import os
from pathlib import Path

import pytest

from extracted.runner.sandbox.spawner import cgroups

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "33 25 0:29 /docker/ab /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


def test_a_second_version_group_gets_its_bounds_and_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    driver = cgroups.V2(root, os.getpid())
    group = driver.group("7", 64 << 20, 16)
    folder = root / f"polycode-runner-{os.getpid()}" / "7"
    written = {name: (folder / name).read_text() for name in ("memory.max", "pids.max", "memory.swap.max")}
    assert written == {"memory.max": str(64 << 20), "pids.max": "16", "memory.swap.max": "0"}
    assert group.joined_by == (str(folder / "cgroup.procs"),)
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (folder / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
    (folder / "pids.events").write_text("max 3\n")
    assert (group.cpu_s(), group.oom_kills(), group.forks_refused()) == (1.5, 1, 3)


def test_a_group_that_holds_processes_moves_them_aside_before_it_hands_on_its_controllers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel does, the stand-in refuses while the group itself holds processes."""
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    leaf = tmp_path / "polycode-supervisor" / "cgroup.procs"
    write = Path.write_text

    def refusing(file: Path, text: str) -> int:
        if file == tmp_path / "cgroup.subtree_control" and not leaf.exists():
            raise OSError(errno.EBUSY, "busy")
        return write(file, text)

    monkeypatch.setattr(Path, "write_text", refusing)
    cgroups.V2(tmp_path, os.getpid())
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert leaf.read_text() == str(os.getpid())


def test_groups_of_a_spawner_that_is_no_more_are_removed(tmp_path: Path) -> None:
    old = tmp_path / "polycode-runner-999999999"
    (old / "3").mkdir(parents=True)
    own = tmp_path / f"polycode-runner-{os.getpid()}"
    own.mkdir()
    cgroups._sweep(tmp_path)
    assert (old.exists(), own.exists()) == (False, True)


@pytest.mark.parametrize(
    ("mount", "controller", "group", "expected"),
    [
        (V2_MOUNT, "", "/system.slice/runner.service", "/sys/fs/cgroup/system.slice/runner.service"),
        (V2_MOUNT, "", "/", "/sys/fs/cgroup"),
        (V1_MOUNT, "memory", "/docker/ab", "/sys/fs/cgroup/memory"),
        (V1_MOUNT, "memory", "/docker/ab/inner", "/sys/fs/cgroup/memory/inner"),
    ],
)
def test_the_place_of_a_group(mount: str, controller: str, group: str, expected: str) -> None:
    assert cgroups._place(cgroups._mounts([mount])[controller], group) == Path(expected)
