"""Real processes that a fault test kills, stops and starts, with failpoints."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import psutil

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 120
POLL_S = 0.02
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)(?: \(admin (http://[^)]+)\))?")


@dataclass
class Process:
    """`python -m MODULE`; `log` gets the output of all its runs."""

    name: str
    module: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    running: "subprocess.Popen[bytes] | None" = None
    exits: list[int] = field(default_factory=list)
    port: int = 0
    admin_url: str | None = None
    is_as_meant: bool = False
    """This run has no variables of its own, and was not paused."""
    _said_before: int = 0

    def start(self, failpoints: str = "", **more: str) -> "Process":
        """Returns when it listens. `more`: variables of this run only."""
        return self.launch(failpoints, **more).listening()

    def launch(self, failpoints: str = "", **more: str) -> "Process":
        """Returns at once; call `listening` to wait."""
        assert self.running is None or self.running.poll() is not None, f"{self.name} runs already"
        self.is_as_meant = not more
        self.arm(failpoints)
        self._said_before = self.log.stat().st_size if self.log.exists() else 0
        own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        own["FAILPOINTS_FILE"] = str(self._armed)
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.module],
                cwd=ROOT,
                env=own | dict(self.environ) | more,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach only the test
            )
        return self

    def listening(self) -> "Process":
        """Waits until its output says that it listens."""
        assert self.running is not None
        deadline = monotonic() + START_TIMEOUT_S
        while not (found := _LISTENING.search(self.log.read_bytes()[self._said_before :].decode(errors="replace"))):
            if self.running.poll() is not None or monotonic() > deadline:
                raise AssertionError(f"{self.name} did not start; it said:\n{self.said()[-3000:]}")
            sleep(POLL_S)
        self.port, self.admin_url = int(found[1]), found[2]
        return self

    def arm(self, failpoints: str = "") -> "Process":
        """Replaces the armed failpoints from now on; the default is none."""
        written = self._armed.with_suffix(".written")
        written.write_text(failpoints)
        written.replace(self._armed)  # a process may read it at any moment
        return self

    @property
    def _armed(self) -> Path:
        return self.log.with_suffix(".armed")

    def said(self) -> str:
        """Its whole output."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        return self._end(signal.SIGTERM)

    def terminate(self) -> None:
        """Only sends SIGTERM; `stop` waits for the end."""
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(signal.SIGCONT)
            self.running.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: the process hangs, its sockets stay open."""
        assert self.running is not None
        self.is_as_meant = False
        self.running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self.running is not None
        self.running.send_signal(signal.SIGCONT)

    def wait(self, timeout_s: float = 90) -> int:
        """Waits for an end caused by a failpoint; returns the exit code (-9: killed)."""
        assert self.running is not None
        code = self.running.wait(timeout_s)
        self.exits.append(code)
        return code

    @property
    def is_running(self) -> bool:
        return self.running is not None and self.running.poll() is None

    @property
    def rss(self) -> int:
        """Resident memory now, in bytes."""
        assert self.running is not None
        return int(psutil.Process(self.running.pid).memory_info().rss)

    def _end(self, number: signal.Signals) -> int:
        if self.running is None:
            return 0
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGCONT)
            self.running.send_signal(number)
        try:
            return self.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                self.running.kill()
            self.running.wait(STOP_TIMEOUT_S)
            raise
