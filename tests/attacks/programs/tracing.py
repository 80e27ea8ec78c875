class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


here = ctypes.create_string_buffer(64)
local, remote = Vector(ctypes.addressof(here), 64), Vector(ctypes.addressof(here), 64)
attempt("being traced", call, "ptrace", 0, 0, 0, 0)
for pid in (os.getppid(), *OUTSIDE):
    attempt(f"tracing {pid}", call, "ptrace", 16, pid, 0, 0)
    attempt(f"seizing {pid}", call, "ptrace", 0x4206, pid, 0, 0)
    attempt(f"memory of {pid}", call, "process_vm_readv", pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    attempt(f"limits of {pid}", call, "prlimit64", pid, 7, here, 0)
    attempt(f"processors of {pid}", os.sched_setaffinity, pid, {0})
    attempt(f"priority of {pid}", os.setpriority, os.PRIO_PROCESS, pid, 19)
attempt("priority of the user", os.setpriority, os.PRIO_USER, 0, 19)
