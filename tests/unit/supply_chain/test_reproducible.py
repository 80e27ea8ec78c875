"""Two builds of the wheel give the same bytes; where they do not, it is told what differs."""

import zipfile
from pathlib import Path

import pytest

from supply_chain.reproducible import differences, twice


def wheel(path: Path, *members: tuple[str, str, int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, year in members:
            archive.writestr(zipfile.ZipInfo(name, (year, 2, 2, 0, 0, 0)), content)
    return path


@pytest.mark.walk
def test_two_builds_of_the_wheel_in_different_folders_times_and_locales_are_the_same_bytes(tmp_path: Path) -> None:
    assert differences(*twice(tmp_path, compiled=False)) == []


def test_what_differs_is_named(tmp_path: Path) -> None:
    one = wheel(tmp_path / "one.whl", ("a.py", "a", 2020), ("b.py", "b", 2020))
    assert differences(one, wheel(tmp_path / "same.whl", ("a.py", "a", 2020), ("b.py", "b", 2020))) == []
    assert differences(one, wheel(tmp_path / "x.whl", ("a.py", "x", 2020), ("b.py", "b", 2021))) == ["a.py", "b.py"]
    assert differences(one, wheel(tmp_path / "less.whl", ("a.py", "a", 2020))) == ["b.py"]
    assert differences(one, wheel(tmp_path / "order.whl", ("b.py", "b", 2020), ("a.py", "a", 2020))) != []
