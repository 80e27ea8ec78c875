"""Processes of parts: started in their own session, identified by pid and start time."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import psutil

from parts.place import OsUser, PartFailed, Place

POLL_S = 0.05
STOP_TIMEOUT_S = 15
_LOG_TAIL = 1500
_CLOCK_SKEW_S = 2  # the kernel derives start times from a boot time that the clock corrects


class ProcessUser(TypedDict, total=False):
    """The user of a child process, as subprocess takes it."""

    user: int
    group: int
    extra_groups: list[int]


def run(
    command: Sequence[str | Path],
    account: OsUser | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Returns the command's output. Raises PartFailed with that output if it fails."""
    identity = _as(account) if account else ProcessUser()
    try:
        done = subprocess.run(  # noqa: S603  # our own commands
            [str(word) for word in command],
            cwd=cwd or "/",
            env=os.environ | dict(environ or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            **identity,
        )
    except OSError as error:
        raise PartFailed(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise PartFailed(f"{Path(command[0]).name} failed ({done.returncode}):\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


class Daemon:
    """A long-running program of a part, with its pid file and log."""

    def __init__(self, place: Place, name: str, listens: Callable[[int], bool] | None = None) -> None:
        """`listens`: whether a port is open where the program runs, if that is another network namespace."""
        self._listens = listens or is_open
        self._account = place.account
        self._folder = place.folder(name)
        self._pid_file = place.root / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self.log = self._folder / "log"

    def start(
        self, command: Sequence[str | Path], port: int, timeout_s: float, environ: Mapping[str, str] | None = None
    ) -> None:
        """Returns when the port is open. Raises PartFailed with the end of its log."""
        with self.log.open("ab") as log:
            process = self._child = subprocess.Popen(  # noqa: S603  # our own commands
                [str(word) for word in command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"HOME": str(self._folder)} | dict(environ or {}),
                **_as(self._account),
            )
        self._pid_file.write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}\n")
        deadline = time.monotonic() + timeout_s
        while not self._listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PartFailed(f"port {port} did not open; its log ends:\n{self._tail()}")
            time.sleep(POLL_S)

    def process(self) -> psutil.Process | None:
        """The started process; None if it has ended, or its pid now belongs to another process."""
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            pid, born = self._pid_file.read_text().split()
            process = psutil.Process(int(pid))
            same = abs(process.create_time() - float(born)) < _CLOCK_SKEW_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL if it does not end in time."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process = self.process()
        if process is not None:
            process.send_signal(number)
            if not self._ends(STOP_TIMEOUT_S):
                process.kill()
                self._ends(STOP_TIMEOUT_S)
            if self._child is not None:
                self._child.wait()
        self._pid_file.unlink(missing_ok=True)

    def _ends(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.process() is not None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.process() is None

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-_LOG_TAIL:].strip()


def is_open(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _as(account: OsUser) -> ProcessUser:
    if account.is_own:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
