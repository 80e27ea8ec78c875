"""What can be said of a node without starting one."""

import json
import os
import socket
from pathlib import Path

import pytest

from cluster import cgroups, objects, programs, settings
from cluster.network import Loopback, Namespace, expect_free
from cluster.node import Node
from parts.place import PartFailed, Place


def test_a_node_needs_root_and_says_what_else_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(Place.own(tmp_path), Namespace("never-made"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PartFailed, match=r"needs root.*KUBECONFIG"):
        next(node.start())
    assert not Namespace("never-made").path.exists()


def test_a_missing_controller_of_cgroups_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(Place.own(tmp_path), Namespace("never-made"))
    (tmp_path / "cgroup.controllers").write_text("cpu cpuset io pids\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    with pytest.raises(PartFailed, match="no controller memory"):
        next(node.start())


@pytest.mark.parametrize("file", ["cpu/kubepods/cpu.shares", "kubepods/cpu.weight"])
def test_pods_together_weigh_as_much_as_many_processes(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("of kubelet")
    cgroups.prefer_pods()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / file]
    assert int((tmp_path / file).read_text()) >= 16 * 100


def test_a_port_that_a_stranger_has_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as stranger,
        pytest.raises(PartFailed, match="another program has port"),
    ):
        expect_free(Loopback(), stranger.getsockname()[1])


def test_a_program_that_is_not_built_is_named_with_what_builds_it(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"kubelet is not built: .*make cluster"):
        programs.KUBELET.built(Place.own(tmp_path))
    assert not programs.are_built(Place.own(tmp_path))


def test_the_version_of_the_module_is_the_one_that_the_programs_tell() -> None:
    assert f"k8s.io/kubernetes {programs.VERSION}\n" in (programs.HERE / "kubernetes" / "go.mod").read_text()


def test_what_the_node_writes_stays_below_its_folder(tmp_path: Path) -> None:
    written = settings.of_kubelet(tmp_path, tmp_path / "socket")
    paths = [value for value in written.values() if isinstance(value, str) and value.startswith(("/", "unix:"))]
    assert len(paths) == 4
    assert [path for path in paths if str(tmp_path) not in path] == []
    volumes = [one for one in json.loads(objects.of_node(tmp_path))["items"] if one["kind"] == "PersistentVolume"]
    assert len(volumes) == objects.VOLUMES
    assert all(Path(one["spec"]["local"]["path"]).is_dir() for one in volumes)
