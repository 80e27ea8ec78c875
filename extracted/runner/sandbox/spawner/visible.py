"""What every run may see of the machine, beside its box and what its language needs."""

from typing import Final

PROGRAMS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS: Final = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
PROCESSORS: Final = "/sys/devices/system/cpu"
OF_THE_KERNEL: Final = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/max_map_count",
    PROCESSORS,
)
"""Read by language runtimes at start: threads, memory, processors."""
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
