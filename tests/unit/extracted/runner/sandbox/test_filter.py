"""The seccomp filters of both architectures, evaluated as the kernel would."""

import errno
import struct

import pytest

from extracted.runner.sandbox.spawner import seccomp, syscalls

ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
EPERM, ENOSYS = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
X86, ARM = "x86_64", "aarch64"
OWN = 4711


def answer(
    machine: str, number: int, first: int = 0, second: int = 1, *, arch: int | None = None, **options: bool | int
) -> int:
    """What the filter returns for a call: an interpreter of the six instructions that it uses."""
    arch = syscalls.AUDIT_ARCH[machine] if arch is None else arch
    data = struct.pack("=IIQ6Q", number, arch, 0, first, second, *[0] * 4)
    program = seccomp.program(machine, **{"sessions": False, **options})  # type: ignore[arg-type]
    code = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        operation, yes, no, value = code[at]
        match operation:
            case 0x06:
                return int(value)
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
                at += 1
                continue
            case 0x54:
                accumulator &= value
                at += 1
                continue
        holds = {0x15: accumulator == value, 0x25: accumulator > value, 0x45: bool(accumulator & value)}[operation]
        at += 1 + (yes if holds else no)


@pytest.mark.parametrize(
    ("machine", "number", "first", "expected"),
    [
        (X86, 0, 0, ALLOW),  # read
        (ARM, 63, 0, ALLOW),
        (X86, 59, 0, ALLOW),  # execve
        (X86, 41, 2, EPERM),  # socket
        (ARM, 198, 1, EPERM),
        (X86, 53, 1, ALLOW),  # socketpair of Unix sockets, and of others
        (X86, 53, 16, EPERM),
        (ARM, 199, 2, EPERM),
        (X86, 101, 0, EPERM),  # ptrace
        (X86, 56, 0x0001_0011, ALLOW),  # clone: a thread or process; in a new user namespace
        (X86, 56, 0x1000_0011, EPERM),
        (ARM, 220, 0x0002_0011, EPERM),
        (X86, 435, 0, ENOSYS),  # clone3
        (ARM, 425, 0, ENOSYS),  # io_uring_setup
        (X86, 302, 0, ALLOW),  # prlimit64 on itself, on another
        (X86, 302, 1, EPERM),
        (X86, 112, 0, EPERM),  # setsid
        (ARM, 154, 0, EPERM),  # setpgid
        (X86, 62, OWN, ALLOW),  # kill
        (X86, 451, 0, ENOSYS),  # newer than the tables
        (X86, 0x4000_0000 + 41, 0, ENOSYS),  # socket of the x32 ABI
    ],
)
def test_a_call_is_answered(machine: str, number: int, first: int, expected: int) -> None:
    assert answer(machine, number, first) == expected


def test_a_call_of_another_architecture_ends_the_program() -> None:
    assert answer(X86, 0, arch=0x4000_0003) == KILL


def test_sessions_are_allowed_where_a_namespace_holds_the_processes() -> None:
    assert answer(X86, 112, sessions=True) == ALLOW


@pytest.mark.parametrize(("number", "first", "expected"), [(62, OWN, EPERM), (234, OWN, ALLOW), (234, 1, EPERM)])
def test_signals_stay_in_the_process_where_nothing_else_scopes_them(number: int, first: int, expected: int) -> None:
    assert answer(X86, number, first, own_process=OWN) == expected


@pytest.mark.parametrize(
    ("kind", "expected"), [(1, ALLOW), (0o2000001, ALLOW), (2, EPERM), (3, EPERM), (5, EPERM), (0o2000002, EPERM)]
)
def test_only_stream_sockets_come_in_pairs(kind: int, expected: int) -> None:
    """A datagram socket of a pair can send to every other Unix socket."""
    assert answer(X86, 53, 1, kind) == answer(ARM, 199, 1, kind) == expected
