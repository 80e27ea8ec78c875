"""Known vulnerabilities of Python packages, from data on this machine: no service is asked.

Two formats: OSV (osv.dev: the export of the PyPI ecosystem, a ZIP or a folder of JSON files, one an advisory), and
safety-db, the one package on PyPI that ships such data; its last release is of 2021.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from supply_chain.locks import ROOT, Lock, Pin, normalized

LOCK = Lock("deploy/advisories.lock")
FOLDER = ROOT / "build/advisories"
MAX_FILE_BYTES = 8 * 2**20


class AdvisoriesMissing(Exception):
    """There is no data, or it cannot be read. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Advisories:
    """`date`: when the newest of them was written. `affecting`: by normalized name, rules with the advisory's id."""

    source: str
    date: date
    affecting: Mapping[str, list[tuple[str, Any]]]

    def found(self, pins: Iterable[Pin]) -> list[tuple[Pin, str]]:
        """What is known of these versions, as (pin, id of the advisory)."""
        return [
            (pin, advisory)
            for pin in pins
            for advisory, rule in self.affecting.get(pin.name, ())
            if _affects(rule, Version(pin.version))
        ]


def of_osv(path: Path) -> Advisories:
    """From OSV's export. Raises AdvisoriesMissing."""
    affecting: dict[str, list[tuple[str, Any]]] = {}
    newest = ""
    try:
        for document in _documents(path):
            newest = max(newest, str(document.get("modified", "")))
            if "withdrawn" not in document:
                _add(affecting, document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise AdvisoriesMissing(f"{path} is no export of OSV (a ZIP or a folder of JSON files): {error}") from error
    if not affecting:
        raise AdvisoriesMissing(f"{path} has no advisory on a PyPI package; wanted OSV's export of the ecosystem PyPI")
    return Advisories(f"OSV, {path.name}", datetime.fromisoformat(newest).date(), affecting)


def of_package() -> Advisories:
    """From safety-db, which pip downloads once, by hash. Raises AdvisoriesMissing."""
    wheels = list(FOLDER.glob("safety_db-*.whl")) or _downloaded()
    with zipfile.ZipFile(wheels[0]) as archive:
        data = json.loads(archive.read("safety_db/insecure_full.json"))
    written = datetime.fromtimestamp(data.pop("$meta")["timestamp"], UTC).date()
    affecting = {normalized(name): [(one["id"], one["specs"]) for one in rows] for name, rows in data.items()}
    return Advisories(f"{wheels[0].name.rpartition('-py')[0]} (CC BY-NC-SA 4.0)", written, affecting)


def _downloaded() -> list[Path]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input", "--require-hashes"]
    command += [
        "--disable-pip-version-check",
        "--retries=1",
        "--timeout=10",
        f"--dest={FOLDER}",
        f"--requirement={LOCK.path}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    wheels = list(FOLDER.glob("safety_db-*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise AdvisoriesMissing(f"pip cannot download {LOCK.path}: {said}")
    return wheels


def _documents(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.is_dir():
        for file in sorted(path.glob("*.json")):
            yield json.loads(file.read_bytes())
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > MAX_FILE_BYTES:
                raise ValueError(f"{member.filename} has {member.file_size} bytes")
            yield json.loads(archive.read(member))


def _add(affecting: dict[str, list[tuple[str, Any]]], document: Mapping[str, Any]) -> None:
    for affected in document.get("affected", ()):
        package = affected.get("package", {})
        if package.get("ecosystem") == "PyPI":
            affecting.setdefault(normalized(package["name"]), []).append((document["id"], affected))


def _affects(rule: Any, version: Version) -> bool:
    """`rule`: one of OSV's `affected`, or safety-db's list of specifiers."""
    if isinstance(rule, list):
        return any(_within(specifier, version) for specifier in rule)
    if str(version) in rule.get("versions", ()):
        return True
    ranges = [one["events"] for one in rule.get("ranges", ()) if one["type"] == "ECOSYSTEM"]
    return any(_in_events(events, version) for events in ranges)


def _within(specifier: str, version: Version) -> bool:
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False  # a few rows are no specifiers


def _in_events(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """The algorithm of OSV's schema: events in the order of their versions switch on and off."""
    inside = False
    for at, kind in sorted(filter(None, map(_event, events)), key=lambda event: event[0]):
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _event(event: Mapping[str, str]) -> tuple[Version, str] | None:
    ((kind, at),) = event.items()
    try:
        return Version("0.dev0" if at == "0" else at), kind
    except InvalidVersion:
        return None
