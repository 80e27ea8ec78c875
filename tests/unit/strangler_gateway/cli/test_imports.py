"""What a short command imports: the time that it takes to start is the time that these modules take."""

import subprocess
import sys

import pytest

SLOW = {"aiosqlite", "asyncio", "httpx", "pydantic", "rich", "sqlalchemy", "starlette", "structlog", "uvicorn", "yaml"}

_RUN = """
import sys
from strangler_gateway.cli.app import app
try:
    app(sys.argv[1:], prog_name="strangler")
except SystemExit as end:
    print(end.code, *sys.modules)
"""


@pytest.mark.parametrize(
    "words", [("log",), ("routes",), ("flip", "items", "--to", "legacy"), ("rollback", "items"), ("diff",)]
)
def test_a_command_that_asks_the_gateway_imports_no_server_and_no_heavy_library(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", _RUN, *words, "--admin", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    code, *modules = done.stdout.split()
    assert (code, "no gateway answers" in done.stderr) == ("3", True)
    assert SLOW.intersection(modules) == set()


def test_the_help_of_one_command_imports_no_other() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "flip", "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "--watch" in done.stdout
    ours = {name for name in done.stdout.split() if name.startswith("strangler_gateway.")}
    assert {"strangler_gateway.cli.queries", "strangler_gateway.cli.serve"}.isdisjoint(ours)
