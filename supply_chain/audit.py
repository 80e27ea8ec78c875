"""`make audit`: known vulnerabilities, licences, and locks that pyproject.toml has left behind."""

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from supply_chain import advisories, licences
from supply_chain.advisories import Advisories, AdvisoriesMissing
from supply_chain.drift import drift, not_installed
from supply_chain.locks import DEVELOPMENT, LOCKS, ROOT, Pin

OLD_AFTER_DAYS = 90


@dataclass(frozen=True)
class Finding:
    """One part of the audit. `notes` do not fail it."""

    checked: str
    problems: Sequence[str] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing was found; 1: something was, or with --strict, vulnerabilities could not be checked by fresh data."""
    options = _parser().parse_args(arguments)
    rules = yaml.safe_load((ROOT / "deploy/audit.yaml").read_text())
    load = partial(advisories.of_osv, options.advisories) if options.advisories else advisories.of_package
    findings = {
        "vulnerabilities": vulnerabilities(load, rules["ignored"], datetime.now(UTC).date()),
        "licences": licences_of(pins(), rules["licences"]),
        "locks": locks(),
    }
    failed = any(one.problems for one in findings.values()) or (options.strict and findings["vulnerabilities"].notes)
    if options.json:
        print(json.dumps({name: asdict(one) for name, one in findings.items()} | {"ok": not failed}, indent=1))
    else:
        _show(findings)
    return int(bool(failed))


def vulnerabilities(load: Callable[[], Advisories], ignored: dict[str, str], today: date) -> Finding:
    try:
        known = load()
    except AdvisoriesMissing as error:
        return Finding(
            "not checked",
            notes=[
                f"{error}. Get OSV's export of the ecosystem PyPI (all.zip) and name it: make audit ADVISORIES=all.zip"
            ],
        )
    found = known.found(pins())
    problems = [f"{pin.name} {pin.version}: {id}" for pin, id in found if id not in ignored]
    unused = ignored.keys() - {id for _, id in found}
    problems += [f"deploy/audit.yaml ignores {id}, which nothing matches; remove it" for id in sorted(unused)]
    age = (today - known.date).days
    old = f"the data are {age} days old and know nothing newer: make audit ADVISORIES=all.zip takes OSV's export"
    return Finding(
        f"{len(pins())} packages, by {known.source} of {known.date}", problems, [old] if age > OLD_AFTER_DAYS else []
    )


def licences_of(pinned: Sequence[Pin], rules: dict[str, Any]) -> Finding:
    allowed, exceptions = frozenset(rules["allowed"]), rules["exceptions"]
    shipped = {pin.name for lock in LOCKS if lock != DEVELOPMENT for pin in lock.pins()}
    problems, noted = [], []
    for name in sorted({pin.name for pin in pinned}):
        found = _licence(name, rules["read"])
        exception = exceptions.get(name)
        if found is not None and licences.allowed(found, allowed):
            continue
        if exception is None or exception["licence"] != found:
            problems.append(
                f"{name}: {found or 'no clear licence'}; neither allowed nor an exception in deploy/audit.yaml"
            )
        elif exception.get("in") == "development" and name in shipped:
            problems.append(f"{name}: {found} is an exception for development alone, and an image's lock has it")
        else:
            noted.append(f"{name}: {found}: {exception['reason']}")
    unused = (exceptions.keys() | rules["read"].keys()) - {pin.name for pin in pinned}
    problems += [f"deploy/audit.yaml names {name}, which no lock has; remove it" for name in sorted(unused)]
    return Finding(f"{len({pin.name for pin in pinned})} packages", problems, noted)


def locks() -> Finding:
    if missing := not_installed(DEVELOPMENT):
        return Finding("not checked", [f"{', '.join(missing)} not installed as locked; run make install"])
    return Finding(f"{len(LOCKS)} files", [problem for lock in LOCKS for problem in drift(lock)])


def pins() -> list[Pin]:
    """Of all locks, each once."""
    return list({(pin.name, pin.version): pin for lock in LOCKS for pin in lock.pins()}.values())


def _licence(name: str, read: dict[str, str]) -> str | None:
    """What was read by hand wins: it is there because the metadata do not say it clearly."""
    if name in read:
        return read[name]
    try:
        metadata: Any = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return licences.stated(
        metadata.get("License-Expression"), metadata.get("License"), metadata.get_all("Classifier") or []
    )


def _show(findings: dict[str, Finding]) -> None:
    for name, one in findings.items():
        print(f"{name}: {one.checked}: {f'{len(one.problems)} problems' if one.problems else 'no problem'}")
        for problem in one.problems:
            print(f"  {problem}")
        for note in one.notes:
            print(f"  note: {note}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m supply_chain.audit", description=__doc__)
    parser.add_argument(
        "--advisories",
        type=Path,
        metavar="PATH",
        help="OSV's export of the ecosystem PyPI, a ZIP or a folder; else safety-db",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--strict", action="store_true", help="fail if vulnerabilities were not checked, or by old data"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
