"""Language files: those that ship are right, and each fault of one is told with its file and field."""

from pathlib import Path

import pytest

from extracted.runner.languages.files import FOLDER, LanguageFileInvalid, load
from extracted.runner.languages.runtimes import Runtime

GOOD = """
name: C
source: main.c
version: {command: [gcc, --version], pattern: '(\\d[\\w.]*)'}
compile:
  command: [gcc, -o, main, "{source}"]
  keep: [main]
run:
  command: ["{program}/main"]
"""
JAVA = load(FOLDER)["JAVA"]


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_the_four_languages_of_the_contract_ship() -> None:
    assert {*load(FOLDER)} == {"NODE", "PYTHON", "JAVA", "RUST"}


def test_a_language_has_defaults_for_what_it_does_not_say(tmp_path: Path) -> None:
    language = load(written(tmp_path, c=GOOD))["C"]
    assert (language.run.limits.wall_s, language.run.limits.memory_mb) == (5, 128)
    assert language.compile is not None
    assert language.compile.limits.wall_s == 10
    assert language.programs() == ("gcc",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("name: C", "name: c"), "c.yaml: name: String should match pattern"),
        (("name: C", "nmae: C"), "c.yaml: nmae: Extra inputs are not permitted"),
        (("source: main.c", "source: ../main.c"), "c.yaml: source: String should match pattern"),
        (("keep: [main]", "keep: []"), "c.yaml: compile.keep: List should have at least 1 item"),
        (("{program}", "{prgram}"), "{prgram} has no value here; there are {program}, {source}"),
        (("{program}", "{class}"), "{class} has no value here"),
        (("(\\d[\\w.]*)", "(\\d"), "c.yaml: version.pattern: Value error, it is not a regular expression"),
        (("(\\d[\\w.]*)", "\\d"), "c.yaml: version.pattern: Value error, it must have one group"),
        (("run:", "run:\n  limits: {memory_mb: 4096}"), "c.yaml: run.limits.memory_mb: Input should be less than"),
        (("run:", "readable: [etc]\nrun:"), "c.yaml: readable.0: String should match pattern"),
        (("name: C", "name: [C"), "c.yaml: it is not YAML: while parsing"),
        ((GOOD, ""), "c.yaml: the file: Input should be a valid dictionary"),
    ],
)
def test_a_fault_names_file_and_field(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(LanguageFileInvalid) as refused:
        load(written(tmp_path, c=GOOD.replace(*change)))
    assert told in str(refused.value)


def test_all_faulty_files_are_told_at_once(tmp_path: Path) -> None:
    faulty = GOOD.replace("name: C", "name: c")
    with pytest.raises(LanguageFileInvalid) as refused:
        load(written(tmp_path, a=faulty, b=GOOD, c=GOOD, d=faulty))
    assert [line.split("/")[-1][:12] for line in str(refused.value).splitlines()] == [
        "a.yaml: name",
        "c.yaml: name",
        "d.yaml: name",
    ]


def test_a_folder_without_files_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(LanguageFileInvalid, match="no language file"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("class Helper {}\npublic final class Solution {}", "Solution"),
        ("import java.util.*; public class Foo {} class Bar {}", "Foo"),
        ("// the class of it\n  class Own { public class Inner {} }", "Own"),
        ("public record Point(int x) {}", "Point"),
        ("public\n" * 20_000, "Main"),
        ("int", "Main"),
    ],
)
def test_a_java_file_has_the_name_of_its_class(source: str, name: str) -> None:
    values = Runtime(JAVA, "17", {}, "", ()).values(source)
    assert (values["class"], values["source"]) == (name, f"{name}.java")
