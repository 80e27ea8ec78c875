"""The end of a migration: gateway and monolith are gone, and the recorded conversation is answered as ever.

Every group is retired; Envoy runs on what `strangler export` wrote, and asks examples/authority who calls.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from parts.ports import free_port
from tests.recordings.conversation import DIFFERS, OF_A_CONNECTION, STEPS, log_in, play
from tests.recordings.replay import Replay
from tests.recordings.running import ROOT, stop
from tests.recordings.strangled import OPERATOR_TOKEN, Strangled, embedded, strangled
from tests.support.exported import accepts, running

pytestmark = pytest.mark.walk

STRANGLER = str(Path(sys.executable).with_name("strangler"))


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


def exported(target: str, system: Strangled, port: int, authority_url: str) -> str:
    environ = {**os.environ, **system.environ, "STRANGLER_ADMIN_TOKEN": OPERATOR_TOKEN}
    words = [target, str(system.file), "--admin", f"http://127.0.0.1:{system.gateway.admin_port}"]
    words += ["--listen", f"127.0.0.1:{port}", "--authority", authority_url]
    done = subprocess.run([STRANGLER, "export", *words], env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


# nginx passes on the `Content-Length: 0` of a 204, as the monolith sent it.
@pytest.mark.parametrize(("target", "differs"), [("envoy", DIFFERS), ("nginx", {})])
def test_the_recording_is_answered_without_gateway_and_monolith(
    target: str, differs: Mapping[str, list[str]], tmp_path: Path, runner_url: str
) -> None:
    with strangled(tmp_path, embedded(tmp_path), "retired", runner_url) as system:
        port = free_port()
        with authority(target, system, tmp_path, system.environ) as url:
            text = exported(target, system, port, url)
            assert "monolith" not in text.partition("\n\n")[2]
            system.gateway.stop()
            with running(target, tmp_path, text, port):
                replay = Replay(f"http://127.0.0.1:{port}", unheard=OF_A_CONNECTION)
                log_in(replay)
                found = play(replay, system.sink, STEPS)
                replay.close()
    assert {name: how for name, how in found.items() if how} == differs
    assert len(found) == 387
