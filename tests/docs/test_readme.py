"""README.md: it opens with what to type, and its tour works on the running system."""

from pathlib import Path

from examples.demo.clients import Noticed
from examples.demo.crowd import calling
from examples.demo.processes import Children
from examples.demo.system import start
from strangler_gateway.routes_file import load
from tests.docs.commands import ROOT, boxes, paste

README = (ROOT / "README.md").read_text()


def test_it_opens_with_the_main_job_and_the_tests() -> None:
    opening = boxes("README.md")[0].splitlines()
    assert [line.split("#")[0].split() for line in opening] == [["make", "demo"], ["make", "test"]]
    assert README.index("make demo") < 100


async def test_its_tour_works_while_clients_are_calling(tmp_path: Path) -> None:
    tour = boxes("README.md")[1:]
    assert len(tour) >= 6
    noticed = Noticed()
    async with Children() as children:
        system = await start(children, tmp_path)
        async with calling(system, noticed):
            for box in tour:
                await paste(box, system)
    assert list(noticed.examples) == []
    assert noticed.answers > 100


def test_its_smallest_file_is_whole() -> None:
    text = README.split("```yaml\n")[1].split("```")[0]
    assert [route.id for route in load(text, {}).routes] == ["everything"]
