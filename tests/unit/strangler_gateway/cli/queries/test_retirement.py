"""`retire-report`, `verify-report` and `flip --report`, against an admin API on a real port."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from strangler_gateway.cli.app import app
from tests.support.gateway.administered import OPERATOR, AdminServer

DAY = 86_400.0
pytestmark = pytest.mark.walk


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, server: AdminServer, tmp_path: Path) -> None:
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", OPERATOR)
    monkeypatch.setenv("STRANGLER_ADMIN_URL", server.url)
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def flip(*words: str) -> Result:
    return run("flip", "items", "--why", "ready", "--to", *words)


def test_a_group_retires_with_its_report_and_anybody_can_check_it_later(server: AdminServer, tmp_path: Path) -> None:
    world = server.world
    for step in (("shadow",), ("canary", "--share", "10"), ("extracted",)):
        assert flip(*step).exit_code == 0
        world.compared()
        world.served_both()
    world.now += DAY / 2
    early = run("retire-report", "items", "--out", "early")
    assert (early.exit_code, "not proven" in early.output, "show 12 h" in early.output) == (1, True, True)
    assert "is no proof" in flip("retired", "--report", "early.json").output
    world.now += DAY
    assert "needs a retire report" in flip("retired", "--force").output
    made = run("retire-report", "items")
    assert (made.exit_code, "written: retire-items.json, retire-items.md" in made.output) == (0, True)
    assert flip("retired", "--report", "retire-items.md").exit_code == 0
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(server.keys))
    for file in ("retire-items.json", "retire-items.md"):
        checked = run("verify-report", file, "--keys", str(keys))
        assert (checked.exit_code, "genuine: signed by" in checked.output) == (0, True), checked.output
    assert run("verify-report", "early.md", "--keys", str(keys)).exit_code == 1
    text = (tmp_path / "retire-items.md").read_text()
    (tmp_path / "retire-items.md").write_text(text.replace("ready", "steady", 1))
    assert "it was changed" in run("verify-report", "retire-items.md", "--keys", str(keys)).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("flip items --to shadow --why x --report early.json", "--report belongs to --to retired"),
        ("flip items --to retired --why x --report no-such-file", "no-such-file"),
        ("flip items --to retired --why x --report routes.yaml", "no signed report"),
        ("verify-report routes.yaml --keys routes.yaml", "holds no public keys"),
        ("verify-report no-such-file --keys routes.yaml", "cannot be read"),
        ("retire-report nobody", "no group or route is called"),
        ("retire-report items --out no/such/folder", "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_told(words: str, said: str) -> None:
    told = run(*words.split())
    assert (told.exit_code, said in told.output) == (2, True), told.output
