"""Each fault of the messaging rules has its scenario, here or where the README says."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
WANTED = {*range(1, 38)}
ELSEWHERE = {
    13: "tests/unit/chassis/messaging/rabbit/test_broker.py",
    17: "tests/unit/chassis/messaging/rabbit/test_faults.py",
}


def test_every_fault_has_a_test_that_bears_its_number() -> None:
    texts = "".join(file.read_text(encoding="utf-8") for file in FOLDER.rglob("test_*.py"))
    found = {int(number) for number in re.findall(r"(?:def test_|\")f(\d\d)[_ ]", texts)}
    assert found == WANTED - ELSEWHERE.keys()


def test_the_readme_says_where_those_are_that_are_elsewhere() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"F{number}: " in readme and place in readme for number, place in ELSEWHERE.items())
    assert all((FOLDER.parents[1] / place).exists() for place in ELSEWHERE.values())
