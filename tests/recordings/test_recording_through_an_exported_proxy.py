"""The end of a migration: gateway and monolith have ended, and the recorded conversation is answered as ever.

Every group retires by a flip with a signed report; a proxy runs on what `strangler export` wrote, and asks
examples/authority who calls.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parts.ports import free_port
from strangler_gateway.cli.app import app
from tests.http.stream import eventually
from tests.recordings.conversation import DIFFERS, OF_A_CONNECTION, STEPS, log_in, play
from tests.recordings.replay import Replay
from tests.recordings.running import ROOT
from tests.recordings.strangled import OPERATOR_TOKEN, Strangled, embedded, strangled
from tests.support.exported import accepts, running
from tests.unit.extracted.running import stop

pytestmark = pytest.mark.walk

RETIRE_AFTER = "1s"
"""Without a request to the monolith: days of a real migration."""


@contextmanager
def authority(target: str, system: Strangled, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "examples.authority", "--routes", str(system.file), "--port", str(port)]
    command += ["--asked-by", target]
    output = folder / "authority.out"
    with output.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environ}, stdout=sink, stderr=sink)
        try:
            accepts(process, port, output)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def strangler(system: Strangled, *words: str) -> tuple[int, str]:
    """The exit code of the command, and what it printed."""
    admin = ("--admin", f"http://127.0.0.1:{system.gateway.admin_port}")
    environ = {**system.environ, "STRANGLER_ADMIN_TOKEN": OPERATOR_TOKEN}
    result = CliRunner().invoke(app, [*words, *admin], env=environ)
    return result.exit_code, result.output


def done(system: Strangled, *words: str) -> str:
    code, said = strangler(system, *words)
    assert code == 0, said
    return said


def proven(system: Strangled, report: Sequence[str]) -> bool:
    """Exit code 1: not yet."""
    return strangler(system, *report)[0] == 0


def retire(system: Strangled, folder: Path) -> None:
    """Every group, with a report that proves that it may."""
    for group in sorted(system.routes.groups):
        base = folder / group
        report = ("retire-report", group, "--out", str(base))
        assert eventually(partial(proven, system, report))
        done(system, "flip", group, "--to", "retired", "--report", f"{base}.json", "--why", "its report says so")
    states = {one["unit"]: one["state"] for one in json.loads(done(system, "routes", "--json"))["routes"]}
    assert {states[group] for group in system.routes.groups} == {"retired"}


def exported(target: str, system: Strangled, port: int, authority_url: str) -> str:
    """The table of the running gateway, which alone knows of the flips."""
    listen = ("--listen", f"127.0.0.1:{port}", "--authority", authority_url)
    return done(system, "export", target, str(system.file), *listen)


# nginx passes on the `Content-Length: 0` of a 204, as the monolith sent it.
@pytest.mark.parametrize(("target", "differs"), [("envoy", DIFFERS), ("nginx", {})])
def test_the_recording_is_answered_without_gateway_and_monolith(
    target: str, differs: Mapping[str, list[str]], tmp_path: Path, runner_url: str
) -> None:
    with strangled(tmp_path, embedded(tmp_path), "extracted", runner_url, retire_after=RETIRE_AFTER) as system:
        retire(system, tmp_path)
        port = free_port()
        with authority(target, system, tmp_path, system.environ) as url:
            text = exported(target, system, port, url)
            assert "monolith" not in text.partition("\n\n")[2]
            system.gateway.stop()
            assert stop(system.monolith.process) == 0
            with running(target, tmp_path, text, port):
                replay = Replay(f"http://127.0.0.1:{port}", unheard=OF_A_CONNECTION)
                log_in(replay)
                found = play(replay, system.sink, STEPS)
                replay.close()
    assert {name: how for name, how in found.items() if how} == differs
    assert len(found) == 387
