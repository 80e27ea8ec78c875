"""What renders the manifests on a machine that has neither kubectl nor kustomize."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifests import render


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    render._program.cache_clear()
    yield
    render._program.cache_clear()


def test_without_go_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    wanted = "neither kubectl nor kustomize is here, and it cannot be built: Go is missing"
    with pytest.raises(render.RenderFailed, match=wanted):
        render.overlay("development")


def test_a_kustomization_with_a_fault_is_told_as_kustomize_tells_it(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n")
    with pytest.raises(render.RenderFailed, match=r"missing\.yaml"):
        render.rendered(tmp_path)
