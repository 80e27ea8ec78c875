"""What `strangler init` and `strangler import` say of the file that they cannot write."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from strangler_gateway.cli.app import app

NGINX = "http { server { listen 80; location / { proxy_pass http://127.0.0.1:3000; } } }\n"
COMMANDS = {"init": ["--upstream", "http://127.0.0.1:3000"], "import": ["nginx", "nginx.conf"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nginx.conf").write_text(NGINX)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_exists_stays_as_it_is(command: str, folder: Path) -> None:
    (folder / "own.yaml").write_text("mine")
    done = CliRunner().invoke(app, [command, *COMMANDS[command], "--output", "own.yaml"])
    said = "strangler: own.yaml exists and is not overwritten; name another file with --output\n"
    assert (done.exit_code, done.stderr, (folder / "own.yaml").read_text()) == (1, said, "mine")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_cannot_be_written_is_named_with_the_reason(command: str) -> None:
    done = CliRunner().invoke(app, [command, *COMMANDS[command], "--output", "nowhere/own.yaml"])
    assert (done.exit_code, done.stderr) == (
        2,
        "strangler: nowhere/own.yaml cannot be written: No such file or directory\n",
    )
