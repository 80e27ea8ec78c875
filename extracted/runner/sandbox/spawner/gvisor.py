"""Starts runsc, so that a run has a kernel of its own in user space.

runsc starts further processes that leave the session, keeps its state in files, and listens on a socket whose name
every process of the network namespace can use. So it starts in a process namespace, which ends with all of them, in a
mount namespace whose one new file system holds all that it writes, and in a network namespace with nothing in it.
https://github.com/opencontainers/runtime-spec/blob/main/config.md
"""

import json
import os
import signal
from collections.abc import Iterable, Iterator
from typing import Any, Final, Never

from extracted.runner.sandbox.spawner import kernel, visible

PLATFORMS: Final = {"gvisor-systrap": "systrap", "gvisor-ptrace": "ptrace"}
"""By backend, the faster one first. Not kvm, which hangs where a virtual machine offers it and cannot do it."""
OWN_PROCESSES: Final = 64
"""Threads of runsc itself."""
THREADS_A_PROCESS: Final = 48
"""Of the host's, behind each process of the program: some 12 with ptrace, for a moment more. gVisor counts exactly."""
OWN_MEMORY: Final = 64 << 20
OWN_CPU_S: Final = 0.5
BOX: Final = "/box"
_RUNSC_FAILED: Final = 128
_LOG: Final = "log"
_MOST_WORDS: Final = 1_000
_PROGRAMS: Final = ("/usr/local/bin/runsc", "/usr/bin/runsc")


def program() -> str | None:
    """Where runsc is, None if it is not installed."""
    return next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)


def enter_namespaces(folder: str, errors: int) -> None:
    """Returns in a new process, the first of its process namespace, with an empty file system on `folder`.

    The caller stays behind and ends as that one does. It writes to `errors` why runsc itself failed.
    """
    kernel.own_mounts()
    os.makedirs(folder, exist_ok=True)
    kernel.mount_tmpfs(folder, "size=4m,mode=755")
    kernel.own_processes_and_network()
    child = os.fork()
    if child:
        _end_as(child, folder, errors)
    kernel.die_with_parent(signal.SIGKILL)
    kernel.mount_proc("/proc")


def _end_as(child: int, folder: str, errors: int) -> Never:
    """Waiting for the first process of a namespace returns when none of the namespace is left."""
    os.closerange(0, errors)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == _RUNSC_FAILED:
        os.write(errors, _failure(os.path.join(folder, _LOG)))
    os._exit(code if code >= 0 else 128 - code)


def _failure(log: str) -> bytes:
    """The last words of runsc; empty if it was the program that ended with this code."""
    with open(log, "rb") as file:
        words = file.read()
    return str(json.loads(words)["msg"]).encode()[:_MOST_WORDS] if words else b""


def bundle(folder: str, box: str, readable: Iterable[str], process: dict[str, Any]) -> None:
    """Writes the run's root and its configuration into `folder`; `process` as in the specification."""
    root = os.path.join(folder, "root")
    os.mkdir(root)
    shown = [path for path in (*visible.PROGRAMS, *visible.SETTINGS, *readable) if os.path.exists(path)]
    links = [path for path in shown if os.path.islink(path) and path in visible.PROGRAMS]
    for path in links:
        os.symlink(os.readlink(path), root + path)
    mounts = [_mount(path, path, "ro") for path in shown if path not in links]
    config = {
        "ociVersion": "1.0.0",
        "process": process,
        "root": {"path": root, "readonly": True},
        "hostname": "box",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *mounts, _mount(box, BOX, "rw")],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)


def _mount(source: str, destination: str, access: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", access]}


def process(argv: list[str], environ: dict[str, str], uid: int, limits: dict[str, int]) -> dict[str, Any]:
    """The program, as a user without capabilities. `limits`: by name, such as RLIMIT_CPU."""
    return {
        "user": {"uid": uid, "gid": uid, "umask": 0o077},
        "args": [os.path.join(BOX, argv[0]), *argv[1:]],
        "env": [f"{name}={value}" for name, value in environ.items()],
        "cwd": BOX,
        "capabilities": {},
        "rlimits": [{"type": name, "soft": most, "hard": most} for name, most in limits.items()],
        "noNewPrivileges": True,
    }


def arguments(backend: str, folder: str) -> Iterator[str]:
    """The command line of runsc for a bundle."""
    runsc = program()
    if runsc is None:
        raise FileNotFoundError("runsc is not installed")
    yield from (runsc, f"--root={folder}/state", f"--platform={PLATFORMS[backend]}", "--network=none")
    yield from ("--ignore-cgroups", f"--log={folder}/{_LOG}", "run", f"--bundle={folder}", "run")
