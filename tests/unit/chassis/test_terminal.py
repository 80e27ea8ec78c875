"""A command whose reader has gone (`| head`) ends without a word about it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "command", [("strangler_gateway.cli.app", "check", "routes.yaml"), ("extracted", "broker", "show", "--json")]
)
def test_a_reader_that_has_gone_is_no_error(command: tuple[str, ...]) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    read, write = os.pipe()
    os.close(read)
    try:
        words = [sys.executable, "-m", *command]
        done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, env=environ, timeout=240, check=False)
    finally:
        os.close(write)
    assert done.stderr == b""
