"""README.md opens with what to type, and shows a file that is whole."""

from strangler_gateway.config.file import load
from tests.docs.commands import ROOT, boxes

README = (ROOT / "README.md").read_text()


def test_it_opens_with_the_main_job_and_the_tests() -> None:
    opening = boxes("README.md")[0].splitlines()
    assert [line.split("#")[0].split() for line in opening] == [
        ["make", "demo"],
        ["make", "story"],
        ["make", "test"],
    ]
    assert README.index("make demo") < 100


def test_its_smallest_file_is_whole() -> None:
    text = README.split("```yaml\n")[1].split("```")[0]
    assert [route.id for route in load(text, {}).routes] == ["everything"]
