"""Which languages can run here: found once at start, by running each one's version command in the sandbox."""

import glob
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from extracted.runner.languages.language import Language, LanguageStep, filled
from extracted.runner.sandbox.port import Command, Limits, RunOutcome, RunStatus, Sandbox

log = structlog.get_logger("runner.languages")

_PROBE: Final = Limits(
    wall_s=15,
    cpu_s=10,
    memory_bytes=512 << 20,
    processes=64,
    output_bytes=64 << 10,
    file_bytes=1 << 20,
    open_files=64,
    box_bytes=16 << 20,
)
_ENVIRONMENT: Final = {"LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """A language that is installed here. `paths`: of its programs, by name. `readable`: what they must read."""

    language: Language
    version: str
    paths: Mapping[str, str]
    search_path: str
    readable: tuple[Path, ...]

    def is_version(self, wanted: str) -> bool:
        """Whether the installed version is this one; 3 means 3.anything."""
        return self.version == wanted or self.version.startswith(f"{wanted}.")

    def values(self, source: str, program: Path | None = None) -> dict[str, str]:
        """What the placeholders of the commands stand for."""
        values = {"program": str(program)} if program else {}
        if self.language.class_name is not None:
            values["class"] = self.language.class_name.of(source)
        return values | {"source": filled((self.language.source,), values)[0]}

    def command(self, step: LanguageStep, values: Mapping[str, str]) -> Command:
        """A step's command. A compiled program may be read, and nothing else of ours."""
        program = (Path(values["program"]),) if "program" in values else ()
        return Command(
            argv=self._argv(step.command, values),
            readable=(*self.readable, *program),
            environ=self._environ(),
            address_space=step.address_space,
            out_of_memory=step.out_of_memory,
        )

    def version_command(self) -> Command:
        """What prints the version."""
        return Command(self._argv(self.language.version_command, {}), self.readable, self._environ(), False)

    def _argv(self, words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
        return filled((self.paths.get(words[0], words[0]), *words[1:]), values)

    def _environ(self) -> dict[str, str]:
        return _ENVIRONMENT | {"PATH": self.search_path} | dict(self.language.environment)


async def found(languages: Mapping[str, Language], sandbox: Sandbox, search_path: str) -> Mapping[str, Runtime]:
    """The languages that run here, by name. One that does not is a line in the log, which says why."""
    runtimes: dict[str, Runtime] = {}
    for name, language in languages.items():
        candidate, missing = _candidate(language, search_path)
        if missing:
            log.warning("language_not_installed", language=name, missing=missing, path=search_path)
            continue
        outcome = await _probed(candidate, sandbox)
        printed = (outcome.stdout + outcome.stderr).decode(errors="replace")
        version = language.version_pattern.search(printed)
        if outcome.status is not RunStatus.OK or version is None:
            log.error("language_does_not_run", language=name, status=outcome.status.value, output=printed[-500:])
            continue
        runtimes[name] = Runtime(language, version[1], candidate.paths, search_path, candidate.readable)
    return runtimes


def _candidate(language: Language, search_path: str) -> tuple[Runtime, list[str]]:
    located = {name: shutil.which(name, path=search_path) for name in language.programs()}
    paths = {name: path for name, path in located.items() if path is not None}
    readable = tuple(_existing(language.readable))
    return Runtime(language, "", paths, search_path, readable), [name for name in located if name not in paths]


def _existing(patterns: tuple[str, ...]) -> Iterator[Path]:
    for path in dict.fromkeys(path for pattern in patterns for path in sorted(glob.glob(pattern))):
        yield Path(path)


async def _probed(runtime: Runtime, sandbox: Sandbox) -> RunOutcome:
    async with sandbox.box(_PROBE) as box:
        return await box.run(runtime.version_command(), b"", _PROBE)
