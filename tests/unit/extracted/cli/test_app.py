"""All verbs of `polycode`: the same options, and a sentence when the server is not the service."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from extracted.cli.app import app
from tests.unit.extracted.cli.polycode import UNREACHABLE, USAGE, Polycode


class _OtherServer(BaseHTTPRequestHandler):
    """Answers each request with JSON that no service sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"hello": "world"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _OtherServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def verbs(command: Any, name: str = "polycode") -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for word, one in (inner or {}).items():
        yield from verbs(one, f"{name} {word}")


def test_help_has_a_short_option_at_every_level() -> None:
    for words in ([], ["mails"], ["mails", "list"]):
        short, long = (CliRunner().invoke(app, [*words, option]).output for option in ("-h", "--help"))
        assert short == long
        assert "-h, --help" in long


def test_every_verb_prints_json() -> None:
    found = dict(verbs(typer.main.get_command(app)))
    assert len(found) > 15
    without = [name for name, verb in found.items() if not any("--json" in option.opts for option in verb.params)]
    assert without == []


@pytest.mark.parametrize("words", ["", "purchases", "stat", "purchases list --limit many", "status --bogus"])
def test_wrong_usage_has_exit_code_2(words: str) -> None:
    done = Polycode({}).run(*words.split())
    assert (done.returncode, "Traceback" in done.stderr) == (USAGE, False)


def test_a_server_that_is_not_the_service_is_told_in_a_sentence(other_server: str) -> None:
    polycode = Polycode({"POLYCODE_ACCOUNT_URL": other_server, "POLYCODE_OPERATOR_TOKEN": "the-operators-token"})
    said = polycode.refused("purchases", "list", code=UNREACHABLE)
    assert 'a service\'s answer has no "purchases"' in said
    as_json = polycode.run("purchases", "show", "x", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)) == (0, {"hello": "world"})
