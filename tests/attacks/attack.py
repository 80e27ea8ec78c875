"""An attack: a program, how it must end, and what it may not reach."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from extracted.runner.sandbox.port import Limits, RunOutcome, RunStatus

PROGRAMS: Final = Path(__file__).with_name("programs")
LIMITS: Final = Limits(
    wall_s=3, cpu_s=1, memory_bytes=64 << 20, processes=16, output_bytes=40_000, file_bytes=1 << 20, open_files=32,
    box_bytes=4 << 20,
)  # fmt: skip
SLOW: Final = replace(LIMITS, cpu_s=3)
PATIENT: Final = replace(LIMITS, wall_s=15, cpu_s=0.5)
"""Also a busy machine gives a program this little of a processor in this time."""
SHORT: Final = replace(LIMITS, wall_s=1)


@dataclass(frozen=True, slots=True)
class Attack:
    """`name` is its program's in programs/; any of `words` is right."""

    name: str
    words: tuple[RunStatus, ...]
    limits: Limits = LIMITS
    attempts: int = 0
    """How many it must report as stopped, at least."""
    gvisor_words: tuple[RunStatus, ...] = ()
    """Right under gVisor, if other words are right there."""
    of_gvisor: tuple[str, ...] = ()
    """What gVisor itself offers to each run: attempts that begin so reach nothing of the machine there."""

    @property
    def source(self) -> bytes:
        prelude = (PROGRAMS / "prelude.py").read_bytes()
        return prelude + (PROGRAMS / f"{self.name}.py").read_bytes()

    def under(self, sandbox: str) -> "Attack":
        """As it must end in a sandbox."""
        if not sandbox.startswith("gvisor"):
            return replace(self, of_gvisor=())
        fewer = 1 if self.of_gvisor and self.attempts else self.attempts
        return replace(self, words=self.gvisor_words or self.words, attempts=fewer)

    def failure(self, outcome: RunOutcome) -> str:
        """What is wrong with an outcome, empty if it was stopped as it must be."""
        text = outcome.stdout.decode(errors="replace")
        if reached := [line for line in text.splitlines() if self._reached(line)]:
            return "; ".join(reached)
        if outcome.status not in self.words:
            return f"ended with {outcome.status}: {outcome.detail or outcome.stderr.decode(errors='replace')[-500:]}"
        if text.count("stopped") < self.attempts:
            return f"reports {text.count('stopped')} attempts, not {self.attempts}: {outcome.stderr.decode()[-500:]}"
        return ""

    def _reached(self, line: str) -> bool:
        return line.startswith("REACHED") and not line.startswith(tuple(f"REACHED {one}" for one in self.of_gvisor))


OK, TIME, CPU = RunStatus.OK, RunStatus.TIME_LIMIT, RunStatus.CPU_LIMIT
MEMORY, OUTPUT, PROCESSES, ERROR = (
    RunStatus.MEMORY_LIMIT, RunStatus.OUTPUT_LIMIT, RunStatus.PROCESS_LIMIT, RunStatus.RUNTIME_ERROR,
)  # fmt: skip
_OWN_SYS: Final = ("reading /sys/fs/cgroup []", "reading /sys/class/net ['lo']", "reading /sys/firmware []")
_OWN_SOCKETS: Final = ("a socket of family", "a pair of")
_OWN_PROCESSES: Final = ("being traced", "limits of 0 ", "processors of 0 ", "priority of 0 ", "priority of the user")
ATTACKS: Final = (
    Attack("fork_bomb", (PROCESSES,), gvisor_words=(PROCESSES, MEMORY, CPU, TIME)),
    Attack("threads_without_end", (PROCESSES, ERROR)),
    Attack("memory_by_pieces", (MEMORY,)),
    Attack("memory_at_once", (MEMORY,)),
    Attack("memory_mapped_and_touched", (MEMORY,)),
    Attack("memory_of_a_child", (MEMORY,)),
    Attack("memory_in_files", (OK, OUTPUT), of_gvisor=("memory without a file",)),
    Attack("endless_loop", (CPU,), PATIENT),
    Attack("busy_children", (CPU,), PATIENT),
    Attack("sleep", (TIME,), SHORT),
    Attack("sleep_without_streams", (TIME,), SHORT),
    Attack("output_without_end", (OUTPUT,)),
    Attack("errors_without_end", (OUTPUT,)),
    Attack("output_without_newline", (OUTPUT,)),
    Attack("output_of_children", (OUTPUT,)),
    Attack("million_files", (OK, OUTPUT), SLOW, gvisor_words=(OK, OUTPUT, TIME, CPU)),
    Attack("huge_file", (OK,), attempts=1),
    Attack("deep_folders", (OK, OUTPUT)),
    Attack("open_files", (OK,), attempts=1),
    Attack("proc_and_sys", (OK,), attempts=20, of_gvisor=_OWN_SYS),
    Attack("environment", (OK,)),
    Attack("other_boxes", (OK,), attempts=1),
    Attack("signals", (OK, ERROR), attempts=1, gvisor_words=(TIME,)),
    Attack("double_fork", (OK,)),
    Attack("sockets", (OK,), attempts=182, of_gvisor=_OWN_SOCKETS),
    Attack("tracing", (OK,), attempts=15, of_gvisor=_OWN_PROCESSES),
    Attack("kernel_surfaces", (OK,), attempts=12, of_gvisor=("io_uring",)),
    Attack("namespaces_and_mounts", (OK,), attempts=15, of_gvisor=("unshare", "chroot")),
    Attack("shared_memory_and_queues", (OK,), attempts=5, of_gvisor=("a ", "POSIX shared")),
    Attack("set_user_id", (OK,), attempts=1),
    Attack("devices", (OK,), attempts=11, of_gvisor=("opening /dev/ptmx", "opening /dev/fuse")),
    Attack("links_and_paths", (OK,), attempts=30),
    Attack("core_dump", (ERROR,), attempts=1),
)
