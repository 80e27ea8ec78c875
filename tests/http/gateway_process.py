"""GW: the real gateway, a process of its own, as `strangler serve` starts it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.http.client import Client, connect
from tests.http.stream import DEADLINE_S, eventually

_LISTENING = re.compile(r"listening on https?://[^ ]*:(\d+) \(admin http://[^ ]*:(\d+)\)")
_BAD_LOG = re.compile(r"Traceback|\"level\": ?\"(error|critical)\"|^ERROR|^CRITICAL|never awaited|Exception ignored")
START_S = 180.0
"""Imports alone take that long on a machine on which everything else runs, too."""
END = "(end of output)"


def _is_bad(line: str) -> bool:
    """An error, a traceback, or what should be JSON and is not."""
    if not line.startswith("{"):
        return bool(_BAD_LOG.search(line))
    try:
        return json.loads(line).get("level") in ("error", "critical") or bool(_BAD_LOG.search(line))
    except ValueError:
        return True


class GatewayProcess:
    """A running gateway: its ports, its log lines, its memory."""

    def __init__(self, routes: Path, state_dir: Path, environ: Mapping[str, str], *options: str) -> None:
        self.lines: list[str] = []
        self.checked = 0
        self.clients: list[Client] = []
        self.was_signalled = False
        self.may_complain = False
        self._news = threading.Condition()
        command = [sys.executable, "-m", "strangler_gateway.cli.app", "serve", "--routes", str(routes)]
        command += ["--port", "0", "--admin-port", "0", "--state-dir", str(state_dir), *options]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            found = _LISTENING.search(self.logged("listening on", START_S))
            assert found, self.lines
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.port, self.admin_port = int(found[1]), int(found[2])

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                with self._news:
                    self.lines.append(line.rstrip())
                    self._news.notify_all()
        with self._news:
            self.lines.append(END)
            self._news.notify_all()

    def logged(self, text: str, within_s: float = DEADLINE_S) -> str:
        """The first line that holds the text, waited for."""
        end = time.monotonic() + within_s
        with self._news:
            while True:
                found = next((line for line in self.lines if text in line), None)
                if found is not None:
                    return found
                over = END in self.lines[-1:] or not self._news.wait(end - time.monotonic())
                assert not over, f"no {text!r} in: " + "\n".join(self.lines[-40:])

    def complaints(self) -> list[str]:
        """Log lines at error level and tracebacks since the last call, unless a test has brought them about."""
        new, self.checked = self.lines[self.checked :], len(self.lines)
        bad = [] if self.may_complain else [index for index, line in enumerate(new) if _is_bad(line)]
        return new[bad[0] : bad[0] + 40] if bad else []

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection of a client."""
        self.clients.append(connect(self.port, receive_buffer))
        return self.clients[-1]

    def hang_up(self) -> None:
        """All clients leave."""
        while self.clients:
            self.clients.pop().close()

    @property
    def rss(self) -> int:
        """Resident bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.was_signalled = True
        self.process.send_signal(number)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stopped for the time: what comes meanwhile waits in the kernel, in its order."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            assert eventually(lambda: psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED)
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def ends(self, within_s: float) -> int | None:
        """The exit code, if the process ends within the time."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ends it, the hard way where it does not want to."""
        self.hang_up()
        if self.alive:
            self.signal()
            self.signal()
        if self.ends(20.0) is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(20.0)
