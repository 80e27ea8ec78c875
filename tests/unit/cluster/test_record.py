"""When .ci/run starts the node: where it can, and where something that it proves has changed."""

import os
from pathlib import Path

import pytest

from cluster import programs, record
from cluster.__main__ import main
from parts.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Of root, with all programs built."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("CLUSTER", "0")
    place = Place.own(tmp_path / "node")
    (place.root / "bin").mkdir(parents=True)
    for program in programs.OF_NODE:
        program.path(place).touch()
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for file in ("k8s/base/gateway.yaml", "extracted/shop/Dockerfile", "deploy/services.lock", "deploy/secrets/token"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("as it was")
    return root


def test_it_is_due_once_for_each_state_of_what_it_proves(place: Place, root: Path) -> None:
    assert record.reason_against(place, root) is None
    record.passed(place, root)
    assert "make test-cluster" in str(record.reason_against(place, root))


def test_another_cluster_proves_less(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "elsewhere")
    monkeypatch.setenv("CLUSTER_DIR", str(place.root))
    main(["passed"])
    assert not (place.root / record.NAME).exists()


@pytest.mark.parametrize(
    ("file", "is_due"),
    [
        ("k8s/base/gateway.yaml", True),
        ("extracted/shop/Dockerfile", True),
        ("deploy/services.lock", True),
        ("strangler_gateway/export/httproute.py", True),
        ("deploy/secrets/token", False),
        ("strangler_gateway/main.py", False),
    ],
)
def test_a_change_makes_it_due_again(place: Place, root: Path, file: str, is_due: bool) -> None:
    record.passed(place, root)
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text("changed")
    assert (record.reason_against(place, root) is None) == is_due


def test_without_the_programs_it_runs_only_where_it_is_asked_for(
    place: Place, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.KUBELET.path(place).unlink()
    assert "CLUSTER=1" in str(record.reason_against(place, root))
    monkeypatch.setenv("CLUSTER", "1")
    assert record.reason_against(place, root) is None
