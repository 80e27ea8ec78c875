"""Landlock (kernel 5.13): which files a process may touch, and from ABI 6 whom it may signal.

https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
from collections.abc import Iterable
from typing import Final

from extracted.runner.sandbox.spawner import kernel

# The same numbers on all architectures.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1

EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
_MAKE_CHAR: Final = 1 << 6
_MAKE_SOCK: Final = 1 << 9
_MAKE_BLOCK: Final = 1 << 11
_RIGHTS_BY_ABI: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_A_FILE: Final = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
_TCP: Final = 0b11
"""Bind and connect, from ABI 4: no rule allows either."""
_SCOPES: Final = 0b11
"""From ABI 6: abstract Unix sockets and signals only within the run."""
LATEST: Final = 7

READ: Final = EXECUTE | READ_FILE | READ_DIR
DEVICE: Final = READ_FILE | WRITE_FILE


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr"""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr"""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def version() -> int:
    """The ABI of this kernel, 0 without Landlock."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(abi: int, rules: Iterable[tuple[str, int]], box: str) -> None:
    """Allows `rules` (paths and rights, those that exist), everything but special files in `box`, and nothing else."""
    abi = min(abi, LATEST)
    rights = _RIGHTS_BY_ABI[min(abi, 5)]
    wanted = _Ruleset(rights, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.byref(wanted), size, 0)
    for path, allowed in (*rules, (box, rights & ~(_MAKE_CHAR | _MAKE_SOCK | _MAKE_BLOCK))):
        _allow(ruleset, path, allowed & rights)
    kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_folder = os.fstat(folder).st_mode & 0o170000 == 0o040000
        rule = _PathBeneath(rights if is_folder else rights & _OF_A_FILE, folder)
        kernel.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(folder)
