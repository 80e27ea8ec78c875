"""Which command runs which language, as far as it is installed here."""

import shutil
import sys
from dataclasses import dataclass


class Unsupported(Exception):
    """No such language here; the message is the runner's."""


@dataclass(frozen=True, slots=True)
class Command:
    """`program` runs a file whose name ends in `suffix`."""

    program: str
    suffix: str


LANGUAGES = ("NODE", "PYTHON", "JAVA", "RUST")
COMMANDS = {"NODE": ("node", ".mjs"), "PYTHON": (sys.executable, ".py"), "JAVA": ("java", ".java")}
"""RUST would have to be compiled first, and is left out."""


def command_of(language: str, version: str | None) -> Command:
    """Raises Unsupported."""
    name, suffix = COMMANDS.get(language, ("", ""))
    program = shutil.which(name) if name else None
    if program is None:
        raise Unsupported(f"Language {language} for version {version or 'undefined'} is not supported")
    return Command(program, suffix)
