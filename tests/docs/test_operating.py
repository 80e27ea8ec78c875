"""docs/operating.md: what it tells to type works, in the order in which it tells it."""

import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from examples.demo.processes import Children
from examples.demo.system import System, start
from tests.docs.commands import ROOT, boxes, paste

PAGE = "docs/operating.md"
FLIPPED = """
strangler flip items --to shadow --why "the test"
strangler flip items --to canary --share 50 --why "the test" --force
strangler flip items --to extracted --why "the test" --force
"""


WATCHED = set(re.findall(r"`(strangler_\w+?)(?:_total)?`", (ROOT / PAGE).read_text()))


async def metrics(system: System) -> set[str]:
    """Names of what is exported, as Prometheus' own parser reads them."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{system.admin_url}/metrics")).raise_for_status().text
    return {family.name for family in text_string_to_metric_families(text)}


async def state_of_items(system: System) -> str:
    listed = await paste("strangler routes --json", system)
    return "legacy" if '"unit": "items", "kind": "group", "state": "legacy"' in listed else listed


async def test_every_command_of_the_page_works_on_a_group_that_was_flipped(tmp_path: Path) -> None:
    commands = boxes(PAGE)
    assert len(commands) >= 9
    async with Children() as children:
        system = await start(children, tmp_path)
        await paste(FLIPPED, system)
        assert commands[0].strip() == "strangler rollback items"
        await paste(commands[0], system)
        assert await state_of_items(system) == "legacy"
        for command in commands[1:]:
            await paste(command, system)
        assert await metrics(system) >= WATCHED
