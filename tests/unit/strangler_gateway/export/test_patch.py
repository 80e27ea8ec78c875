"""The patch of a routes file: applied by `patch`, it makes the file say what is served, and keeps all else."""

import subprocess
from pathlib import Path

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.export.patch import moved, patch
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState

ROUTES = (Path(__file__).parents[4] / "routes.yaml").read_text()


@pytest.mark.parametrize(
    "text", [ROUTES, ROUTES.rstrip("\n"), ROUTES.replace("\n", "\r\n")], ids=["lf", "open", "crlf"]
)
def test_a_patch_says_what_is_served_and_keeps_comments(text: str, tmp_path: Path) -> None:
    file = load(text, {})
    positions = {"items": Position(MigrationState.CANARY, 1250), "points": Position(MigrationState.EXTRACTED)}
    served = file.with_movables({name: placed(file.movables[name], at) for name, at in positions.items()})
    edits = moved(file, served)
    assert {one.unit: one.position for one in edits} == positions
    found = patch("routes.yaml", text, edits)
    (tmp_path / "routes.yaml").write_bytes(text.encode())
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, input=found.encode(), cwd=tmp_path, check=True)
    after = (tmp_path / "routes.yaml").read_bytes().decode()
    assert moved(load(after, {}), served) == ()
    assert [line for line in after.split("\n") if line.strip() not in text] == [
        line for line in after.split("\n") if line.startswith(("  items:", "  points:"))
    ]
    assert after.count("#") == text.count("#")


def test_nothing_was_moved() -> None:
    file = load(ROUTES, {})
    assert patch("routes.yaml", ROUTES, moved(file, file)) == ""
