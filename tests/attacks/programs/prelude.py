"""Stands before each attack. An attack prints a line for each attempt: `stopped …` or `REACHED …`."""

import ctypes
import os
import platform
import sys

COLUMN = {"x86_64": 0, "aarch64": 1}[platform.machine()]
CALLS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "add_key": (248, 217), "keyctl": (250, 219),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "pivot_root": (155, 41), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435),
    "fsopen": (430, 430), "bpf": (321, 280), "perf_event_open": (298, 241), "memfd_create": (319, 279),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "prlimit64": (302, 261),
    "kexec_load": (246, 104), "init_module": (175, 105), "reboot": (169, 142), "open_by_handle_at": (304, 265),
    "setsid": (112, 157), "setpgid": (109, 154), "pidfd_getfd": (438, 438), "fanotify_init": (300, 262),
}  # fmt: skip
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def call(name, *arguments):
    result = LIBC.syscall(ctypes.c_long(CALLS[name][COLUMN]), *arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def attempt(what, action, *arguments):
    try:
        result = action(*arguments)
    except (OSError, MemoryError, RuntimeError, ValueError) as error:
        print("stopped", what, error, flush=True)
    else:
        print("REACHED", what, result, flush=True)


OUTSIDE = [int(one) for one in sys.argv[1:]]
"""Processes that are none of the run's: the supervisor, its spawner, and a victim of the same machine."""
