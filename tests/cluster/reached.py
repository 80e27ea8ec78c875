"""What is in the cluster, reached from here: ports of its pods, and the mails that have arrived."""

import json
import os
import re
import subprocess
import threading
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tests.cluster.system import NAMESPACE, System

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)")
ENDS_WITHIN_S = 20
FOLLOW = """
import base64, json, pathlib, time
told = set()
while True:
    for file in sorted(pathlib.Path("/tmp/mails").glob("*.eml")):
        if file not in told and (content := file.read_bytes()):
            told.add(file)
            print(json.dumps([file.name, base64.b64encode(content).decode()]), flush=True)
    time.sleep(0.1)
"""


@contextmanager
def _started(system: System, *words: str) -> Iterator[IO[str]]:
    """What a long `kubectl WORDS` prints; it ends with the block."""
    command = [str(system.kubectl.program), f"--namespace={NAMESPACE}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.terminate()
            process.wait(ENDS_WITHIN_S)


@contextmanager
def forwarded(system: System, what: str, *ports: int) -> Iterator[Sequence[str]]:
    """A URL for each port of `what`, such as `service/shop`. Only where `kubectl.prefix` leads it can be reached."""
    with _started(system, "port-forward", what, *(f":{port}" for port in ports)) as output:
        found: dict[int, str] = {}
        while len(found) < len(ports):
            line = output.readline()
            assert line, f"kubectl port-forward {what} has ended"
            if told := _FORWARDING.match(line):
                found[int(told[2])] = f"http://127.0.0.1:{told[1]}"
        threading.Thread(target=output.read, daemon=True).start()  # a line for each connection
        yield [*found.values()]


@contextmanager
def mails_in(system: System, folder: Path) -> Iterator[None]:
    """Each mail that the mailbox has, and gets within the block, is a file there."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        ended = stack.enter_context(ExitStack())
        output = stack.enter_context(_started(system, "exec", "deployment/mailbox", "--", "python", "-u", "-c", FOLLOW))
        keeping = threading.Thread(target=_keep, args=(output, folder))
        keeping.start()
        ended.callback(keeping.join, ENDS_WITHIN_S)
        yield


def _keep(lines: IO[str], folder: Path) -> None:
    for line in lines:
        name, content = json.loads(line)
        unfinished = folder / f"{name}.new"
        unfinished.write_bytes(b64decode(content))
        os.replace(unfinished, folder / name)
