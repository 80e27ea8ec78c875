"""What the audit finds in advisories and licences, and how its command ends."""

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from supply_chain import advisories, audit, licences
from supply_chain.advisories import Advisories, AdvisoriesMissing
from supply_chain.locks import Pin

MIT = frozenset({"MIT"})


def pin(version: str, name: str = "joserfc") -> Pin:
    return Pin(name, version, None, ())


def advisory(**affected: Any) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": "JoseRFC"}
    return {"id": "PYSEC-1", "modified": "2026-10-01T00:00:00Z", "affected": [{"package": package, **affected}]}


def exported(path: Path, *documents: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, document in enumerate(documents):
            archive.writestr(f"{number}.json", json.dumps(document))
    return path


def events(*pairs: tuple[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return {"ranges": [{"type": kind, "events": [{name: at} for name, at in pairs]}]}


@pytest.mark.parametrize(
    ("affected", "version", "hit"),
    [
        (events(("introduced", "0"), ("fixed", "1.3.1")), "1.3", True),
        (events(("introduced", "0"), ("fixed", "1.3.1")), "1.3.1", False),
        (events(("fixed", "1.3.1"), ("introduced", "0"), ("introduced", "2.0")), "1.9", False),
        (events(("fixed", "1.3.1"), ("introduced", "0"), ("introduced", "2.0")), "2.10", True),
        (events(("introduced", "1.0"), ("last_affected", "1.4")), "1.4", True),
        (events(("introduced", "1.0"), ("last_affected", "1.4")), "1.4.1", False),
        (events(("introduced", "0"), kind="GIT"), "1.4", False),
        ({"versions": ["1.4"]}, "1.4", True),
        ({"versions": ["1.4"]}, "1.40", False),
    ],
)
def test_an_advisory_of_osv_affects_what_its_schema_says(
    affected: dict[str, Any], version: str, hit: bool, tmp_path: Path
) -> None:
    known = advisories.of_osv(exported(tmp_path / "all.zip", advisory(**affected)))
    assert known.date == date(2026, 10, 1)
    assert [id for _, id in known.found([pin(version), pin(version, "another")])] == (["PYSEC-1"] if hit else [])


def test_a_withdrawn_advisory_and_another_ecosystem_do_not_count(tmp_path: Path) -> None:
    withdrawn = advisory(versions=["1.4"]) | {"withdrawn": "2026-10-02T00:00:00Z"}
    other = {**advisory(), "affected": [{"package": {"ecosystem": "npm", "name": "joserfc"}, "versions": ["1.4"]}]}
    counting = {**advisory(versions=["1.5"]), "id": "PYSEC-2"}
    known = advisories.of_osv(exported(tmp_path / "all.zip", withdrawn, other, counting))
    assert known.found([pin("1.4")]) == []


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_file_that_is_no_export_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(content)
    with pytest.raises(AdvisoriesMissing, match=r"all.zip is no export of OSV"):
        advisories.of_osv(tmp_path / "all.zip")
    with pytest.raises(AdvisoriesMissing, match="no advisory on a PyPI package"):
        advisories.of_osv(exported(tmp_path / "empty.zip"))


def test_old_data_are_a_note_and_none_are_not_silence() -> None:
    known = Advisories("a test", date(2021, 7, 1), {"uvloop": [("pyup-1", ["<0.1", "no specifier"])]})
    finding = audit.vulnerabilities(lambda: known, {}, date(2026, 7, 1))
    assert (finding.problems, len(finding.notes)) == ([], 1)
    assert "1826 days old" in finding.notes[0]

    def away() -> Advisories:
        raise AdvisoriesMissing("no network")

    assert audit.vulnerabilities(away, {}, date(2026, 7, 1)).checked == "not checked"


def test_what_is_found_fails_unless_a_reason_is_written_down() -> None:
    known = Advisories("a test", date(2026, 7, 1), {"uvloop": [("PYSEC-9", ["<99"])]})
    found = [f"{one.name} {one.version}: PYSEC-9" for one in audit.pins() if one.name == "uvloop"]
    assert audit.vulnerabilities(lambda: known, {}, date(2026, 7, 1)).problems == found != []
    assert audit.vulnerabilities(lambda: known, {"PYSEC-9": "why"}, date(2026, 7, 1)).problems == []
    unused = audit.vulnerabilities(lambda: known, {"PYSEC-9": "why", "PYSEC-8": "why"}, date(2026, 7, 1)).problems
    assert ["PYSEC-8" in problem for problem in unused] == [True]


@pytest.mark.parametrize(
    ("expression", "field", "classifiers", "wanted"),
    [
        ("MIT OR Apache-2.0", "GPL", (), "MIT OR Apache-2.0"),
        (None, "MIT License\n\nPermission is hereby granted", (), "MIT"),
        (None, "BSD-3-Clause", ("License :: OSI Approved :: MIT License",), "BSD-3-Clause"),
        (None, "Dual", ("License :: OSI Approved :: MIT License",), "MIT"),
        (None, None, ("License :: OSI Approved :: BSD License",), None),
        (None, None, (), None),
    ],
)
def test_a_licence_is_read_from_the_clearest_field(
    expression: str | None, field: str | None, classifiers: tuple[str, ...], wanted: str | None
) -> None:
    assert licences.stated(expression, field, classifiers) == wanted


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(GPL-3.0-only OR MIT) AND MIT", True),
        ("GPL-3.0-only", False),
        ("my own", False),
        ("MIT OR", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_by_its_parts(expression: str, allowed: bool) -> None:
    assert licences.allowed(expression, MIT) is allowed


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({}, "hypothesis: MPL-2.0; neither allowed"),
        ({"hypothesis": {"licence": "GPL-2.0-only", "reason": "another one"}}, "hypothesis: MPL-2.0; neither"),
        ({"certifi": {"licence": "MPL-2.0", "in": "development", "reason": "in an image"}}, "for development alone"),
        ({"gone": {"licence": "MIT", "reason": "no lock has it"}}, "names gone, which no lock has"),
    ],
)
def test_a_licence_that_is_not_allowed_needs_an_exception_that_fits(rules: dict[str, Any], wanted: str) -> None:
    pins = [pin("1", "hypothesis"), pin("1", "certifi")]
    finding = audit.licences_of(pins, {"allowed": ["MIT"], "read": {}, "exceptions": rules})
    assert wanted in "\n".join(finding.problems)


def test_the_command_ends_with_1_if_it_finds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harmless = advisory(versions=["0.0.1"]) | {"modified": "2999-01-01T00:00:00Z"}
    path = str(exported(tmp_path / "all.zip", harmless))
    assert audit.main(["--json", "--strict", "--advisories", path]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    old = str(exported(tmp_path / "old.zip", advisory(versions=["0.0.1"]) | {"modified": "2021-01-01T00:00:00Z"}))
    assert (audit.main(["--advisories", old]), audit.main(["--strict", "--advisories", old])) == (0, 1)
    hit = str(exported(tmp_path / "hit.zip", advisory(**events(("introduced", "0")))))
    assert audit.main(["--advisories", hit]) == 1
    assert "PYSEC-1" in capsys.readouterr().out
