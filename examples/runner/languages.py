"""Which installed program runs which language."""

import shutil
import sys
from dataclasses import dataclass


class UnsupportedLanguage(Exception):
    """The language cannot run here; the message is the runner's."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`program` runs a file whose name ends in `suffix`."""

    program: str
    suffix: str


LANGUAGES = ("NODE", "PYTHON", "JAVA", "RUST")
PROGRAMS = {"NODE": ("node", ".mjs"), "PYTHON": (sys.executable, ".py"), "JAVA": ("java", ".java")}
"""RUST is left out: it needs a compiler."""


def interpreter_of(language: str, version: str | None) -> Interpreter:
    """Raises UnsupportedLanguage."""
    name, suffix = PROGRAMS.get(language, ("", ""))
    program = shutil.which(name) if name else None
    if program is None:
        raise UnsupportedLanguage(f"Language {language} for version {version or 'undefined'} is not supported")
    return Interpreter(program, suffix)
