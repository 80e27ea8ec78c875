"""docs/extracting.md: the walk works as it is written, from the monolith alone to the last flip."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from examples.demo.processes import Launcher
from examples.demo.system import DemoSystem
from parts.ports import free_port
from tests.docs.commands import boxes, paste

pytestmark = pytest.mark.walk

PAGE = "docs/extracting.md"
PORTS = ("3000", "8080", "8081", "8090", "8091", "8103")


class Shell:
    """Pastes boxes in one folder, on free ports; what a box starts with `&` at its end goes on until the test ends."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self._launcher = launcher
        self._ports = {port: str(free_port()) for port in PORTS}
        url, admin_url = (f"http://127.0.0.1:{self._ports[port]}" for port in ("8080", "8081"))
        self.system = DemoSystem(folder, url, admin_url)

    async def paste(self, box: str) -> str:
        text = box.replace("strangler serve &", "strangler serve --port 8080 --admin-port 8081 &").strip()
        text = re.sub(r"(127\.0\.0\.1:|port )(\d{4})\b", lambda found: found[1] + self._ports[found[2]], text)
        if text.endswith("&"):
            await self._start(text.removesuffix("&"))
            return ""
        return await paste(text, self.system)

    async def _start(self, command: str) -> None:
        folder, path = shlex.quote(str(self.system.folder)), shlex.quote(str(Path(sys.executable).parent))
        line = f"cd {folder} && PATH={path}:$PATH exec env {command}"
        tokens = {"STRANGLER_OPERATOR_TOKEN_FILE": str(self.system.operator_token)}
        await self._launcher.start(command, ["bash", "-c", line], self.system.environ | tokens)


async def test_the_walk_leads_from_the_monolith_to_the_service(tmp_path: Path) -> None:
    commands = boxes(PAGE)
    async with Launcher() as launcher:
        shell = Shell(launcher, tmp_path)
        said = [await shell.paste(box) for box in commands]
        inventory = json.loads(await shell.paste("strangler inventory --json"))
    recorded, replayed = (next(i for i, box in enumerate(commands) if word in box) for word in ("record", "replay"))
    assert "4 exchanges" in said[recorded]
    replays = [text for box, text in zip(commands, said, strict=True) if "strangler replay" in box]
    assert ["4 same, 0 different, 0 skipped" in text for text in replays] == [True, True]
    assert recorded < replayed
    routes = {route["id"]: route for route in inventory["routes"]}
    whoami = routes["whoami"]
    assert (whoami["state"], whoami["requests"]["extracted"], whoami["users"]["extracted"]) == ("extracted", 1, 1)
    assert routes["shelf-read"]["state"] == "extracted"
    [tested] = [text for box, text in zip(commands, said, strict=True) if "pytest" in box]
    assert "failed" not in tested
    [ready] = [text for box, text in zip(commands, said, strict=True) if "strangler services" in box]
    assert ready.startswith('{"status":"ready"}')
    assert '{"user":"ada"}' in said[-2]
