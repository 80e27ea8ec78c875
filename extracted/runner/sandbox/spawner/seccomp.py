"""Builds the seccomp filter: a program of classic BPF, as struct sock_filter.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import errno
import struct
from collections.abc import Iterable
from typing import Final

from extracted.runner.sandbox.spawner import syscalls

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_GREATER: Final = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_NUMBER: Final = 0  # offsets in struct seccomp_data
_ARCH: Final = 4
_ARGUMENTS: Final = 16

_ALLOW: Final = 0x7FFF_0000
_KILL: Final = 0x8000_0000
_NOT_PERMITTED: Final = 0x0005_0000 | errno.EPERM
_NO_SUCH_CALL: Final = 0x0005_0000 | errno.ENOSYS
_AF_UNIX: Final = 1
_SOCK_STREAM: Final = 1
_KIND_OF_SOCKET: Final = 0xF
_NEW_NAMESPACES: Final = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone cannot make a time namespace)"""

Instruction = tuple[int, int, int, int]


def supported(machine: str) -> bool:
    return machine in syscalls.ARCHITECTURES


def program(machine: str, *, sessions: bool, own_process: int | None = None) -> bytes:
    """The filter for an architecture. `sessions`: setsid is allowed. `own_process`: the only one it may signal."""
    column = syscalls.ARCHITECTURES[machine]
    code = [*_only(syscalls.AUDIT_ARCH[machine]), (_LOAD, 0, 0, _NUMBER), *_answer_above(syscalls.NEWEST)]
    code += _answer(_numbers(syscalls.UNKNOWN, column), _NO_SUCH_CALL)
    code += _answer(_numbers(syscalls.REFUSED, column), _NOT_PERMITTED)
    code += _answer(_numbers(syscalls.BY_KIND, column), _NOT_PERMITTED)
    if not sessions:
        code += _answer(_numbers(syscalls.SESSIONS, column), _NOT_PERMITTED)
    if own_process is not None:
        code += _answer(_numbers(syscalls.SIGNALS, column), _NOT_PERMITTED)
        code += _unless_first(syscalls.TGKILL[column], own_process)
    for number in _numbers(syscalls.ONLY_OWN, column):
        code += _unless_first(number, 0)
    code += _unless_connected_pair(syscalls.SOCKETPAIR[column])
    code += _unless_no_namespace(syscalls.CLONE[column])
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *one) for one in code)


def _numbers(table: dict[str, syscalls.Numbers], column: int) -> list[int]:
    return [number for numbers in table.values() if (number := numbers[column]) is not None]


def _only(architecture: int) -> list[Instruction]:
    return [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]


def _answer_above(newest: int) -> list[Instruction]:
    """Also answers the x32 calls of x86_64, whose numbers have bit 30."""
    return [(_GREATER, 0, 1, newest), (_RETURN, 0, 0, _NO_SUCH_CALL)]


def _answer(numbers: Iterable[int], result: int) -> list[Instruction]:
    """Two instructions a call: no jump is longer than one."""
    return [one for number in numbers for one in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, result))]


def _unless_first(number: int | None, value: int) -> list[Instruction]:
    """Refuses a call whose first argument (its lower 32 bits: these are ints to the kernel) is not `value`."""
    return [
        (_EQUAL, 0, 4, number or 0),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 1, 0, value),
        (_RETURN, 0, 0, _NOT_PERMITTED),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _unless_connected_pair(number: int | None) -> list[Instruction]:
    """Refuses pairs of datagram sockets too: each of the two could still send to any other Unix socket."""
    return [
        (_EQUAL, 0, 7, number or 0),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 0, 4, _AF_UNIX),
        (_LOAD, 0, 0, _ARGUMENTS + 8),
        (_AND, 0, 0, _KIND_OF_SOCKET),
        (_EQUAL, 0, 1, _SOCK_STREAM),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOT_PERMITTED),
    ]


def _unless_no_namespace(number: int | None) -> list[Instruction]:
    return [
        (_EQUAL, 0, 4, number or 0),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _NOT_PERMITTED),
        (_RETURN, 0, 0, _ALLOW),
    ]
