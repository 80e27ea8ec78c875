"""Values and rules of the runner, without I/O: what the monolith's runner answers to a run (contract §7)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Strategy(StrEnum):
    """The strategies of the monolith's runner. They differ in what they answer, so each can be imitated."""

    DOCKER = "DOCKER"
    FORKEXEC = "FORKEXEC"
    KUBERNETES = "KUBERNETES"


LANGUAGES: Final = ("NODE", "PYTHON", "JAVA", "RUST")
"""The languages of POST /run, in the order of the contract."""
TIMED_OUT: Final = -128
KILLED: Final = 128
"""An exit code above it tells the signal, as a shell and a container do."""
_VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "NODE": ("16", "18"),
    "PYTHON": ("3.9",),
    "JAVA": ("17",),
    "RUST": ("1.60",),
}


def accepts(strategy: Strategy, language: str, version: str | None) -> bool:
    """Whether the strategy knows this version. FORKEXEC looks at none (corrections C10)."""
    return strategy is Strategy.FORKEXEC or version is None or version in _VERSIONS[language]


def unsupported(language: str, version: str | None) -> str:
    """The monolith's words for a version or a language that it cannot run."""
    return f"Language {language} for version {'undefined' if version is None else version} is not supported"


def timed_out(strategy: Strategy, stdout: str, stderr: str, timeout_s: float) -> dict[str, object]:
    """The answer to a run that took too long. DOCKER's has no exit code, which the monolith reads as success."""
    if strategy is Strategy.DOCKER:
        return {"stdout": stdout, "stderr": stderr}
    if strategy is Strategy.KUBERNETES:
        stderr = f"Execution timed out : {timeout_s:g} seconds"
    return {"stdout": stdout, "stderr": stderr, "exitCode": TIMED_OUT}


def exit_code(strategy: Strategy, code: int | None, signal: int | None, *, limited: bool) -> int | None:
    """The exit code of a run that ended. FORKEXEC has none (null) for a program that a signal ended.

    `limited`: the runner ended it, for a limit that the monolith does not have. That must not look like success.
    """
    if signal is None and not limited:
        return code
    if strategy is Strategy.FORKEXEC and not limited:
        return None
    return KILLED + (signal or 9)
