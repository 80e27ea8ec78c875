"""The spawner's loop. It ends when the sandbox's end of the socket closes, and takes all runs with it."""

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Final

from extracted.runner.sandbox.spawner import cgroups, child, kernel, landlock, messages, processes, seccomp
from extracted.runner.sandbox.spawner.boxes import Boxes, BoxFolder, NoUserLeft
from extracted.runner.sandbox.spawner.cgroups import Group
from extracted.runner.sandbox.spawner.messages import Facts, RunRequest, Setup
from extracted.runner.sandbox.spawner.run import Run, with_own_needs

_MOST_DESCRIPTORS: Final = 4
_CLOSE_ON_EXEC: Final = 0x4000_0000
"""MSG_CMSG_CLOEXEC"""
_LINGER_S: Final = 0.001
"""How soon to look again for killed processes that have not ended yet."""
_MOST_REAPED: Final = 64
"""At once: a run that forks without end must not keep the loop from its deadlines."""
_OOM_SCORE: Final = b"-900"


class Spawner:
    """Handles one packet, one ended child or one deadline at a time."""

    def __init__(self, control: socket.socket, setup: Setup) -> None:
        self._control = control
        self._boxes = Boxes(setup.folder, setup.first_uid, setup.uids)
        self._driver, missing = cgroups.found(os.getpid())
        self.facts = Facts(
            machine=kernel.MACHINE,
            landlock=landlock.version(),
            seccomp=seccomp.supported(kernel.MACHINE) and kernel.filters_supported(),
            own_uids=self._boxes.own_uids,
            tmpfs=self._boxes.tmpfs,
            cgroup=self._driver.name if self._driver else "none",
            cgroup_missing=missing,
        )
        self._made: dict[int, BoxFolder] = {}
        self._runs: dict[int, Run] = {}
        self._handlers: dict[str, Callable[[int, dict[str, Any], Sequence[int]], None]] = {
            "facts": lambda request, _values, _streams: self._send("facts", request, self.facts),
            "box": self._box,
            "unbox": self._unbox,
            "run": self._run,
            "release": self._release,
            "kill": self._kill,
        }

        self._filters = child.filters(self.facts)
        gc.freeze()  # a fork then copies fewer pages

    def serve(self) -> None:
        """Returns when the other end has closed and nothing is left."""
        try:
            with _ChildSignals() as ended, selectors.DefaultSelector() as selector:
                selector.register(self._control, selectors.EVENT_READ)
                selector.register(ended, selectors.EVENT_READ)
                while self._step(selector, ended):
                    pass
        finally:
            self._end()

    def _step(self, selector: selectors.BaseSelector, ended: socket.socket) -> bool:
        ready = {key.fileobj for key, _ in selector.select(self._patience())}
        if ended in ready:
            ended.recv(4096)
        open_ = self._receive() if self._control in ready else True
        self._look()
        self._reap()
        return open_

    def _patience(self) -> float | None:
        if _ended_child() is not None:
            return 0
        if any(run.status is not None for run in self._runs.values()):
            return _LINGER_S
        soonest = min((run.next_event() for run in self._runs.values()), default=inf)
        return None if soonest == inf else max(0.0, soonest - time.monotonic())

    def _receive(self) -> bool:
        data, descriptors, _flags, _ = socket.recv_fds(
            self._control, messages.LARGEST, _MOST_DESCRIPTORS, _CLOSE_ON_EXEC
        )
        if not data:
            return False
        kind, request, values = messages.read(data)
        try:
            self._handlers[kind](request, values, descriptors)
        except (OSError, KeyError, NoUserLeft) as error:
            self._send("failed", request, {"error": str(error)})
        finally:
            for one in descriptors:
                os.close(one)
        return True

    def _box(self, request: int, values: dict[str, Any], _streams: Sequence[int]) -> None:
        box = self._made[request] = self._boxes.make(values["size"])
        folder = os.open(box.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._send("box", request, {"uid": box.uid}, [folder])
        finally:
            os.close(folder)

    def _unbox(self, request: int, _values: dict[str, Any], _streams: Sequence[int]) -> None:
        if box := self._made.pop(request, None):
            self._boxes.remove(box)

    def _run(self, request: int, values: dict[str, Any], streams: Sequence[int]) -> None:
        wanted = RunRequest(**values)
        box = self._made[wanted.box]
        bounded = with_own_needs(wanted)
        group = self._group(request, bounded)
        place = child.Place(box, group.joined_by if group else (), self.facts, self._filters)
        try:
            process = child.start(wanted, place, streams)
        except OSError:
            _discard(group)
            raise
        self._runs[request] = Run(bounded, box, group, process, self._boxes.tmpfs, wanted.held)

    def _group(self, request: int, wanted: RunRequest) -> Group | None:
        if self._driver is None:
            return None
        return self._driver.group(str(request), wanted.memory_bytes, wanted.processes)

    def _release(self, request: int, values: dict[str, Any], _streams: Sequence[int]) -> None:
        if run := self._runs.get(request):
            run.release(values["wall_s"])

    def _kill(self, request: int, values: dict[str, Any], _streams: Sequence[int]) -> None:
        if run := self._runs.get(request):
            run.kill(values["why"])

    def _look(self) -> None:
        now = time.monotonic()
        due = [run for run in self._runs.values() if run.status is None and now >= run.next_event()]
        orphans = self._orphans() if due and self._driver is None else {}
        for run in due:
            run.look(now, orphans.get(run.pid, []), overfull=self._boxes.overfull(run.box))

    def _reap(self) -> None:
        """Waits for children that have ended, in portions; a run whose leader ended is over when none of it is left."""
        for _ in range(_MOST_REAPED):
            if (ended := _ended_child()) is None:
                break
            run = self._run_of(ended)
            if run is not None and run.pid == ended:
                run.kill_group()
            _, status, usage = os.wait4(ended, 0)
            if run is not None:
                run.reaped(ended, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
        over = [(request, run) for request, run in self._runs.items() if run.status is not None]
        left = self._orphans() if over else {}
        for request, run in over:
            if run.pid in left:
                _kill_trees(left[run.pid])
            else:
                del self._runs[request]
                self._send("ended", request, run.report())
                _discard(run.group)

    def _run_of(self, pid: int) -> Run | None:
        leaders = {run.pid: run for run in self._runs.values()}
        return leaders.get(pid) or leaders.get(processes.session(pid) or 0)

    def _orphans(self) -> dict[int, list[int]]:
        """By leader: processes of its session that became children of this one, because their parent ended."""
        leaders = {run.pid for run in self._runs.values()}
        found: dict[int, list[int]] = {}
        for pid in processes.children(os.getpid()):
            if pid not in leaders and (leader := processes.session(pid)) is not None:
                found.setdefault(leader, []).append(pid)
        return found

    def _send(self, kind: str, request: int, values: object, descriptors: Sequence[int] = ()) -> None:
        with suppress(BrokenPipeError):  # nobody is left to be told, and the next packet is the end
            socket.send_fds(self._control, [messages.packet(kind, request, values)], descriptors)

    def _end(self) -> None:
        for run in self._runs.values():
            run.kill("stopped")
        _end_all_children()
        for run in self._runs.values():
            _discard(run.group)
        for box in self._made.values():
            self._boxes.remove(box)
        self._boxes.close()
        if self._driver:
            self._driver.close()


def _ended_child() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def _kill_trees(pids: Sequence[int]) -> None:
    for pid in processes.tree(pids):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _end_all_children() -> None:
    with suppress(ChildProcessError):
        while True:
            _kill_trees(processes.children(os.getpid()))
            os.wait()


def _discard(group: Group | None) -> None:
    if group is not None:
        group.remove()


class _ChildSignals:
    """A socket that becomes readable when a child has ended."""

    def __enter__(self) -> socket.socket:
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        return self._read

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._read.close()
        self._write.close()


def main(descriptor: int) -> None:
    """`descriptor`: the spawner's end of the socket. The first packet is the setup."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too; the sandbox ends it in its own time
    kernel.adopt_orphans()
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        file.write(_OOM_SCORE)
    control = socket.socket(fileno=descriptor)
    _kind, _request, values = messages.read(control.recv(messages.LARGEST))
    try:
        spawner = Spawner(control, Setup(**values))
    except OSError as error:
        control.send(messages.packet("failed", 0, {"error": str(error)}))
        return
    control.send(messages.packet("facts", 0, spawner.facts))
    spawner.serve()
