def read(path):
    with open(path, "rb") as file:
        return file.read(64)


def write(path):
    os.close(os.open(path, os.O_WRONLY))


for pid in OUTSIDE:
    for name in ("environ", "mem", "maps", "cmdline", "status", "fd/0", "root/etc/passwd", "cwd"):
        # In a process namespace a number may be a process of the run itself.
        if not os.path.exists(f"/proc/{pid}") or os.path.exists("/proc/2"):
            print("stopped", pid, name, "is not visible")
        else:
            attempt(f"reading {name} of {pid}", read, f"/proc/{pid}/{name}")
for path in ("/proc/kcore", "/sys/fs/cgroup", "/sys/kernel/mm", "/sys/class/net", "/sys/firmware"):
    attempt(f"reading {path}", os.listdir if path.startswith("/sys") else read, path)
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory"):
    attempt(f"writing {path}", write, path)
