"""The command line of bubblewrap: a file system of what may be seen, and namespaces of its own for all else."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from extracted.runner.sandbox.spawner import visible

PROGRAM: Final = "/usr/bin/bwrap"
BOX: Final = "/box"
OWN_PROCESSES: Final = 2
"""It stays beside the program: outside, and as the first process of the namespace."""
_NAMESPACES: Final = ("--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--die-with-parent")


def arguments(
    box: str, readable: Iterable[str], filter_fd: int | None, argv: Sequence[str], gate: int | None = None
) -> list[str]:
    """`filter_fd`: where bubblewrap reads the seccomp filter, which it installs last.

    `gate`: where it waits for a byte, in the finished namespaces and before the program is there.
    """
    return [
        PROGRAM,
        *_NAMESPACES,
        *(one for path in (*visible.PROGRAMS, *visible.SETTINGS, *readable) for one in _shown(path)),
        *("--ro-bind", visible.PROCESSORS, visible.PROCESSORS, "--proc", "/proc"),
        *(one for path in visible.DEVICES for one in ("--dev-bind", path, path)),
        *("--bind", box, BOX, "--chdir", BOX, "--remount-ro", "/"),
        *(() if filter_fd is None else ("--seccomp", str(filter_fd))),
        *(() if gate is None else ("--block-fd", str(gate))),
        *("--", os.path.join(BOX, argv[0]), *argv[1:]),
    ]


def _shown(path: str) -> Iterator[str]:
    """A link of the root, such as /bin, stays a link."""
    if os.path.islink(path) and path in visible.PROGRAMS:
        yield from ("--symlink", os.readlink(path), path)
    elif os.path.exists(path):
        yield from ("--ro-bind", path, path)
