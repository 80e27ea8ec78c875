"""What the sandbox and its spawner tell each other: JSON in packets of a Unix socket, file descriptors beside it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

LARGEST: Final = 1 << 17
"""Bytes of a packet: the arguments and the environment of a command must fit."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How the spawner works on this machine."""

    folder: str
    first_uid: int
    uids: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the spawner found on this machine."""

    machine: str
    landlock: int
    """The ABI, 0 without."""
    seccomp: bool
    own_uids: bool
    tmpfs: bool
    """Boxes are file systems of a fixed size."""
    cgroup: str
    """v1, v2 or none."""
    cgroup_missing: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run in a box. Its stdin, stdout and stderr come with the packet."""

    box: int
    backend: str
    argv: list[str]
    readable: list[str]
    environ: dict[str, str]
    address_space: bool
    wall_s: float
    cpu_s: float
    memory_bytes: int
    processes: int
    file_bytes: int
    open_files: int
    held: bool = False
    """All is made ready, but the program begins, and its time, only when a packet `release` comes."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. `killed`: why the spawner killed it, else empty. `error`: why it never started."""

    exit_code: int | None
    signal: int | None
    cpu_ms: int
    wall_ms: int
    peak_kb: int
    killed: str = ""
    oom_kills: int = 0
    forks_refused: int = 0
    error: str = ""


def packet(kind: str, request: int, values: object) -> bytes:
    """`values`: one of the classes above, or what JSON knows. Raises ValueError if it is too large."""
    plain = values if isinstance(values, Mapping) else asdict(values)  # type: ignore[call-overload]  # a dataclass
    data = json.dumps({"kind": kind, "id": request, **plain}).encode()
    if len(data) > LARGEST:
        raise ValueError(f"the command has {len(data)} bytes of arguments and environment; at most {LARGEST} fit")
    return data


def read(data: bytes) -> tuple[str, int, dict[str, Any]]:
    """The kind, the request that it belongs to, and the values."""
    values: dict[str, Any] = json.loads(data)
    return values.pop("kind"), values.pop("id"), values
