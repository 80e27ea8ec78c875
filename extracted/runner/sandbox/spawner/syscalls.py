"""Which system calls a run may not make, by number on each architecture (x86_64, aarch64).

A call that does not exist on an architecture has no number there (None).
"""

from typing import Final

ARCHITECTURES: Final = {"x86_64": 0, "aarch64": 1}
"""The column of each in the tables below."""
AUDIT_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
NEWEST: Final = 450
"""set_mempolicy_home_node (Linux 5.17). Newer calls get ENOSYS; the C library then uses older ones."""

Numbers = tuple[int | None, int | None]

REFUSED: Final[dict[str, Numbers]] = {
    # the network: no socket of any kind (pairs of connected Unix sockets see below)
    "socket": (41, 198),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the kernel's larger surfaces
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "lookup_dcookie": (212, 18),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the machine
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    # memory and queues that outlive a process, or that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184),
    "mq_getsetattr": (245, 185),
}
"""Answered with EPERM."""

UNKNOWN: Final[dict[str, Numbers]] = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),  # its flags lie in memory, where a filter cannot look; the C library then uses clone
}
"""Answered with ENOSYS, because callers look for that and do without."""

SESSIONS: Final[dict[str, Numbers]] = {"setsid": (112, 157), "setpgid": (109, 154)}
"""Refused where the run has no process namespace: it is killed by its process group."""

SIGNALS: Final[dict[str, Numbers]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424),
}
"""Refused where nothing else keeps a run from signalling its user's other processes."""

ONLY_OWN: Final[dict[str, Numbers]] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
"""Allowed on the caller alone: the first argument must be 0. Others of the same user would be in reach."""

BY_KIND: Final[dict[str, Numbers]] = {"setpriority": (141, 140), "ioprio_set": (251, 30)}
"""Refused: they reach all processes of a user."""

SOCKETPAIR: Final[Numbers] = (53, 199)
"""Allowed for connected Unix sockets: both ends stay in the run."""
CLONE: Final[Numbers] = (56, 220)
"""Allowed without a new namespace."""
TGKILL: Final[Numbers] = (234, 131)
"""Where signals are refused: allowed within the caller's own process, which abort() and threads need."""
