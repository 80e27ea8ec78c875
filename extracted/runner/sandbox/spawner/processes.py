"""Reads /proc: which processes a run has, and what they use."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of several processes together. `cpu_s` with their children that ended."""

    tasks: int = 0
    memory_bytes: int = 0
    cpu_s: float = 0.0


def session(pid: int) -> int | None:
    """The session of a process, or of one that ended and waits to be reaped; None if there is none."""
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def usage(roots: Iterable[int]) -> Usage:
    """Of these processes and all below them."""
    tasks = memory = 0
    cpu_s = 0.0
    for pid in tree(roots):
        if fields := _stat(pid):
            cpu_s += sum(map(int, fields[11:15])) * _TICK_S
            tasks += int(fields[17])
            memory += _memory(pid)
    return Usage(tasks, memory, cpu_s)


def _memory(pid: int) -> int:
    """Resident bytes that no file backs. What a fork shares with its parent counts twice."""
    with suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        lines = (line.split() for line in file)
        return sum(int(line[1]) * 1024 for line in lines if line[0] in (b"RssAnon:", b"RssShmem:"))
    return 0


def tree(roots: Iterable[int]) -> Iterator[int]:
    """These processes and all below them."""
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children(pid)


def children(pid: int) -> list[int]:
    """Of all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on (the second may contain spaces); none if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
