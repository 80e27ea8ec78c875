"""Stacks that py-spy has sampled (`-f raw`), counted by function."""

import re
from collections import Counter
from collections.abc import Iterable

_PYTHON = re.compile(r"^(.+) \(([^()]+\.py):\d+\)$")
_THREAD = "threading.py:Thread._bootstrap"
_OURS = re.compile(r"(?:^|/)((?:strangler_gateway|chassis)/.+)$")
_NATIVE = re.compile(r"^(.+) \(([^()]+?)(?::\d+)?\)$")


def read_stacks(text: str) -> list[tuple[list[str], int]]:
    """Each line `frame;frame;... count` to its frames, outermost first, without line numbers.

    Threads beside the main one are left out: they wait, which py-spy cannot tell from work once it looks into C.
    """
    stacks = []
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        functions = [_function(frame) for frame in frames.split(";")]
        if _THREAD not in functions:
            stacks.append((functions, int(count)))
    return stacks


def _function(frame: str) -> str:
    if python := _PYTHON.match(frame):
        ours = _OURS.search(python[2])
        return f"{ours[1] if ours else '/'.join(python[2].split('/')[-2:])}:{python[1]}"
    native = _NATIVE.match(frame)
    return f"{native[1]} [{native[2]}]" if native else frame


def is_python(function: str) -> bool:
    return ".py:" in function


def by_innermost(stacks: Iterable[tuple[list[str], int]]) -> Counter[str]:
    """Samples by the function that was running, C functions too."""
    counts: Counter[str] = Counter()
    for frames, count in stacks:
        counts[frames[-1]] += count
    return counts


def by_innermost_python(stacks: Iterable[tuple[list[str], int]]) -> Counter[str]:
    """Samples by the innermost Python function: its own time and that of the C functions it called."""
    counts: Counter[str] = Counter()
    for frames, count in stacks:
        counts[next((frame for frame in reversed(frames) if is_python(frame)), "(no Python frame)")] += count
    return counts


def by_any_python(stacks: Iterable[tuple[list[str], int]]) -> Counter[str]:
    """Samples by each Python function on the stack: its own time and that of all it called."""
    counts: Counter[str] = Counter()
    for frames, count in stacks:
        counts.update(dict.fromkeys({frame for frame in frames if is_python(frame)}, count))
    return counts
