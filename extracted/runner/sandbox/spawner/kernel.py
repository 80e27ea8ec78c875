"""System calls that Python's library does not offer. Errors are OSError."""

import ctypes
import os
import platform
import sys
from typing import Final

MACHINE: Final = platform.machine()
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_REC_PRIVATE: Final = 0x4000 | 0x4_0000
_MNT_DETACH: Final = 2


def syscall(number: int, *arguments: object) -> int:
    """What the call returns. Pointers are given as ctypes objects."""
    return _checked(_LIBC.syscall(ctypes.c_long(number), *map(_argument, arguments)))


def prctl(option: int, value: object = 0, more: object = 0) -> int:
    return _checked(_LIBC.prctl(option, _argument(value), _argument(more), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def _argument(value: object) -> object:
    return ctypes.c_ulong(value) if isinstance(value, int) else value


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def die_with_parent(signal: int) -> None:
    prctl(_PR_SET_PDEATHSIG, signal)


def adopt_orphans() -> None:
    """Processes below this one whose parent ends become children of this one."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges() -> None:
    """From now on no execve grants anything: neither set-user-id programs nor file capabilities."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install_filter(instructions: bytes) -> None:
    """Installs a seccomp filter: struct sock_filter, 8 bytes each."""
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_Program(len(instructions) // 8, instructions)))


def filters_supported() -> bool:
    """Whether the kernel takes seccomp filters; asked with a null pointer, which it refuses with EFAULT."""
    try:
        prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, 0)
    except OSError as error:
        return error.errno == 14
    return False


def own_mounts() -> None:
    """Gives this process a mount namespace of its own, from which nothing gets out."""
    _checked(_LIBC.unshare(CLONE_NEWNS))
    _mount(b"none", b"/", None, MS_REC_PRIVATE, None)


def own_processes_and_network() -> None:
    """The next fork of this process is the first of a process namespace, which ends with it; there is no network."""
    _checked(_LIBC.unshare(CLONE_NEWPID | CLONE_NEWNET))


def mount_proc(folder: str) -> None:
    """Shows the processes of the caller's namespace."""
    _mount(b"proc", os.fsencode(folder), b"proc", MS_NOSUID | MS_NODEV, None)


def mount_tmpfs(folder: str, options: str) -> None:
    _mount(b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())


def unmount(folder: str) -> None:
    """At once for all who look for it; its memory is freed with the last open file."""
    _checked(_LIBC.umount2(os.fsencode(folder), _MNT_DETACH))


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None) -> None:
    _checked(_LIBC.mount(source, target, kind, ctypes.c_ulong(flags), data))


def close_from(first: int) -> None:
    """Closes all file descriptors from `first` on."""
    os.closerange(first, _open_file_limit())


def _open_file_limit() -> int:
    """close_range needs no bound; closerange of Python uses it where the kernel has it."""
    return 2**31 - 1 if sys.version_info >= (3, 11) else os.sysconf("SC_OPEN_MAX")
