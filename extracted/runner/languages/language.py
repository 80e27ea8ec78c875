"""A language as its file describes it: how to compile and run a source, and within which limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

PLACEHOLDERS = frozenset({"source", "class", "program"})
"""`{source}`: the file of the source. `{class}`: what it declares. `{program}`: the folder of the compiled program."""


@dataclass(frozen=True, slots=True)
class StepLimits:
    """What one step, compiling or running, may use."""

    wall_s: float
    cpu_s: float
    memory_mb: int
    processes: int
    output_kb: int
    file_mb: int
    open_files: int
    box_mb: int


@dataclass(frozen=True, slots=True)
class LanguageStep:
    """One step. `address_space`: a limit on it is a limit on memory; false for what reserves more than it uses.

    `out_of_memory`: what a program writes to stderr when it notices that before the sandbox does.
    """

    command: tuple[str, ...]
    limits: StepLimits
    address_space: bool
    out_of_memory: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ClassName:
    """How to find the name that a source declares: the first pattern that matches, else the default."""

    default: str
    patterns: tuple[re.Pattern[str], ...]

    def of(self, source: str) -> str:
        """The name; group 1 of the pattern."""
        found = (pattern.search(source) for pattern in self.patterns)
        return next((match[1] for match in found if match), self.default)


@dataclass(frozen=True, slots=True)
class Language:
    """`version_command` prints the version, which `version_pattern` finds. `keep`: files of a compiled program."""

    name: str
    source: str
    class_name: ClassName | None
    version_command: tuple[str, ...]
    version_pattern: re.Pattern[str]
    environment: Mapping[str, str]
    readable: tuple[str, ...]
    compile: LanguageStep | None
    keep: tuple[str, ...]
    run: LanguageStep

    def keeps(self, file: str) -> bool:
        """Whether a file that compiling left belongs to the program."""
        return any(fnmatchcase(file, pattern) for pattern in self.keep)

    def programs(self) -> tuple[str, ...]:
        """What must be installed: the first words of its commands, without those of a compiled program."""
        steps = (self.version_command, *((self.compile.command,) if self.compile else ()), self.run.command)
        return tuple(dict.fromkeys(command[0] for command in steps if not command[0].startswith("{")))


def filled(words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """The command with values in place of its placeholders."""
    return tuple(re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), word) for word in words)
