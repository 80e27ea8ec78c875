"""Retires every group with a report, and checks the reports without the gateway."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import httpx

from examples.demo.story import StoryFailed, run_command
from examples.demo.system import DemoSystem

TRIES, PAUSE_S = 60, 1.0
KEYS = "gateway-keys.json"


async def retire(system: DemoSystem, groups: Sequence[str], folder: Path) -> None:
    """The files stay in `folder`. Raises StoryFailed, httpx.HTTPError, OSError."""
    async with httpx.AsyncClient(base_url=system.admin_url) as admin:
        keys = (await admin.get("/.well-known/jwks.json")).raise_for_status().json()
    (folder / KEYS).write_text(json.dumps(keys))
    for group in groups:
        await _retire(system, group, folder)


async def _retire(system: DemoSystem, group: str, folder: Path) -> None:
    base = folder / group
    await _until_proven(system, f"retire-report {group} --out {base}")
    await _done(system, f"flip {group} --to retired --report {base}.json --why 'its report says so'")
    said = await _done(system, f"verify-report {base}.md --keys {folder / KEYS}")
    print("\n".join(f"  {line}" for line in said.splitlines()), flush=True)


async def _until_proven(system: DemoSystem, command: str) -> None:
    """Exit code 1: no proof yet."""
    for _ in range(TRIES):
        code, said = await run_command(command, system)
        if code == 0:
            return
        await asyncio.sleep(PAUSE_S)
    raise StoryFailed(f"after {TRIES * PAUSE_S:g} s `strangler {command}` still says:\n{said}")


async def _done(system: DemoSystem, command: str) -> str:
    code, said = await run_command(command, system)
    if code:
        raise StoryFailed(f"`strangler {command}` ended with exit code {code}:\n{said}")
    return said
