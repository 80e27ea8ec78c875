"""The grey boxes of a page, run as a reader would paste them."""

import asyncio
import re
import sys
import textwrap
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from examples.demo.system import DemoSystem

ROOT = Path(__file__).parents[2]
BOX = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WITHIN_S = 240.0


def boxes(page: str) -> list[str]:
    """The text of every `sh` box of a page."""
    return [textwrap.dedent(box) for box in BOX.findall((ROOT / page).read_text())]


async def paste(box: str, system: DemoSystem) -> str:
    """What a shell prints, in the folder of routes.yaml; every command has to succeed."""
    script = box.replace("http://127.0.0.1:8081", system.admin_url).replace("http://127.0.0.1:8080", system.url)
    environ = system.environ | {"PATH": f"{Path(sys.executable).parent}:{system.environ['PATH']}"}
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script), cwd=system.folder, env=environ, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await asyncio.wait_for(shell.communicate(), WITHIN_S)
    assert shell.returncode == 0, f"exit code {shell.returncode} of\n{script}\n{output.decode()}"
    return output.decode()
