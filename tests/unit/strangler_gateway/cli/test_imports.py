"""What a short command imports: the time that it takes to start is the time that these modules take."""

import subprocess
import sys

import pytest

from tests.support.one_answer import answering

SLOW = {"aiosqlite", "asyncio", "httpx", "pydantic", "rich", "sqlalchemy", "starlette", "structlog", "uvicorn", "yaml"}

_RUN = """
import sys
from strangler_gateway.cli.app import app
try:
    app(sys.argv[1:], prog_name="strangler")
except SystemExit as end:
    print(end.code, *sys.modules)
"""


def run(*words: str) -> tuple[str, set[str], str, str]:
    """Exit code, imported modules, what was printed, and the errors."""
    command = [sys.executable, "-c", _RUN, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    *shown, last = done.stdout.splitlines()
    code, *modules = last.split()
    return code, set(modules), "\n".join(shown), done.stderr


@pytest.mark.parametrize("command", ["log", "routes", "flip items --to legacy", "rollback items", "diff"])
def test_a_command_that_asks_the_gateway_imports_no_server_and_no_heavy_library(command: str) -> None:
    code, modules, _, errors = run(*command.split(), "--admin", "http://127.0.0.1:9")
    assert (code, "no gateway answers" in errors) == ("3", True)
    assert SLOW.intersection(modules) == set()


def test_a_table_in_a_pipe_needs_no_library_either() -> None:
    with answering(b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"entries":[]}') as (address, _):
        code, modules, shown, _ = run("log", "--admin", f"http://{address}")
    assert (code, shown.split()) == ("0", ["time", "what", "group", "move", "who", "why"])
    assert SLOW.intersection(modules) == set()


def test_the_help_of_one_command_imports_no_other() -> None:
    _, modules, shown, _ = run("flip", "--help")
    assert "--watch" in shown
    assert {"strangler_gateway.cli.queries.routes", "strangler_gateway.cli.serve"}.isdisjoint(modules)
