"""The lock files: what each is made from, and what it pins."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock. `name` is normalized (PEP 503); `hashes`: SHA-256 of the archives that may be installed."""

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file, and what of pyproject.toml it is made from: `make lock`."""

    path: str
    extras: tuple[str, ...] = ()
    group: str | None = None

    @property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    def pins(self) -> tuple[Pin, ...]:
        return tuple(map(_pin, re.findall(r"^[A-Za-z0-9][^\n]*(?:\n\s+[^\n]+)*", self.text, re.MULTILINE)))

    def asked(self) -> list[Requirement]:
        """What pyproject.toml asks for in this lock, extras of its own replaced by what they stand for."""
        if self.group:
            return [Requirement(line) for line in _pyproject()["dependency-groups"][self.group]]
        project = _pyproject()["project"]
        return [Requirement(line) for line in _lines(project, [*project["dependencies"], *_of(project, self.extras)])]


DEVELOPMENT = Lock("requirements.lock", ("dev",))
LOCKS = (
    DEVELOPMENT,
    Lock("deploy/build.lock", group="build"),
    Lock("deploy/gateway.lock", ("amqp", "consul", "dns", "otel")),
    Lock("deploy/plugin.lock", ("amqp", "consul", "dns", "database", "otel")),
    Lock("deploy/services.lock", ("shop", "mailer", "adapter", "amqp", "identity", "otel")),
)


def normalized(name: str) -> str:
    return str(canonicalize_name(name))


@cache
def image_pins() -> Mapping[tuple[str, str], Sequence[str]]:
    """The hashes by name and version, of all locks that images are built from."""
    return {(pin.name, pin.version): pin.hashes for lock in LOCKS if lock != DEVELOPMENT for pin in lock.pins()}


def _pin(block: str) -> Pin:
    head = re.split(r"\s*\\?\n|\s+--hash|\s+\\", block, maxsplit=1)[0]
    requirement = Requirement(head)
    versions = [one.version for one in requirement.specifier if one.operator == "=="]
    hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
    return Pin(normalized(requirement.name), versions[0] if versions else "", requirement.marker, hashes)


def _lines(project: Mapping[str, object], lines: Sequence[str]) -> list[str]:
    """Lines that ask for extras of the project itself, replaced."""
    found = []
    for line in lines:
        requirement = Requirement(line)
        own = normalized(requirement.name) == project["name"]
        found += _lines(project, _of(project, tuple(sorted(requirement.extras)))) if own else [line]
    return found


def _of(project: Mapping[str, object], extras: Sequence[str]) -> list[str]:
    known = project["optional-dependencies"]
    assert isinstance(known, dict)
    return [line for extra in extras for line in known[extra]]


@cache
def _pyproject() -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
