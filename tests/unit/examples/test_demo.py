"""`make demo` and `make run` as a user meets them: commands that work when pasted, no process left behind."""

import asyncio
import os
import re
import signal
import stat
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from examples.demo.system import STRANGLER
from parts.servers import consul

ROOT = Path(__file__).parents[3]
WITHIN_S = 240.0


class LauncherProcess:
    """The launcher in a folder of its own, read line by line."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def until(self, text: str) -> str:
        """What it printed up to the line with `text`."""
        assert self._process.stdout is not None
        printed = ""
        async with asyncio.timeout(WITHIN_S):
            while text not in printed:
                line = await self._process.stdout.readline()
                assert line, f"it ended before it printed {text!r}:\n{printed}"
                printed += line.decode()
        return printed

    @property
    def pid(self) -> int:
        return self._process.pid

    def parts(self) -> list[psutil.Process]:
        """The processes that it has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    async def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Exit code and the rest of what it printed."""
        if number is not None:
            self._process.send_signal(number)
        rest, _ = await asyncio.wait_for(self._process.communicate(), WITHIN_S)
        assert self._process.returncode is not None
        return self._process.returncode, rest.decode()


@asynccontextmanager
async def launched(folder: Path, *options: str) -> AsyncIterator[LauncherProcess]:
    command = (sys.executable, "-u", "-m", "examples.demo", *options)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environ, stdout=PIPE, stderr=STDOUT)
    try:
        yield LauncherProcess(process)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def all_gone(parts: list[psutil.Process]) -> bool:
    _, alive = await asyncio.to_thread(psutil.wait_procs, parts, 5)
    return not alive


async def paste(lines: str, folder: Path) -> str:
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", lines), cwd=folder, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await asyncio.wait_for(shell.communicate(), WITHIN_S)
    assert shell.returncode == 0, output.decode()
    return output.decode()


def outputs(pasted: str) -> list[str]:
    """What each paragraph of the pasted commands printed."""
    return [output.strip() for output in pasted.split("= next =\n")]


@pytest.mark.walk
async def test_run_prints_commands_that_do_what_they_say_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    async with launched(tmp_path, "--keep") as launcher:
        start = await launcher.until("Ctrl-C stops everything.")
        lines = start.partition("to paste into another terminal:\n\n")[2].rpartition("\n\n")[0]
        pasted = outputs(await paste(lines.replace("\n\n", "\necho '= next ='\n"), tmp_path))
        exported, opened, read, compared, bought, signed_up, operated = pasted
        assert exported == ""
        assert '"id":"11111111-1111-4111-8111-111111111111"' in read
        assert '"data":null' in read
        assert "items: legacy → shadow" in compared
        assert "item-bought" in compared
        assert "points: legacy → canary 100 %" in bought
        assert "ocation: /purchases/" in bought
        assert bought.endswith('"type":"hint","data":{"text":"Read stdin first"}}}')
        (name,) = re.findall(r'"username":"(new-[0-9]+)"', signed_up)
        mail = Path(signed_up.splitlines()[-1])
        assert f"To: {name}@example.org" in mail.read_text()
        assert "Subject: Verify your account" in mail.read_text()
        assert re.search(r"account .*outbox", operated)
        assert re.search(r" COMPLETED .* 11111111-1111-4111-8111-111111111111 ", operated)
        assert re.search(rf" sent .* {name}@example.org ", operated)
        (credential,) = tmp_path.glob(".run/*/operator-token")
        assert opened == credential.read_text().strip()
        assert re.search(r"open http://127\.0\.0\.1:[0-9]+/ui and log in", lines)
        assert stat.S_IMODE(credential.stat().st_mode) == 0o600
        parts = launcher.parts()
        code, rest = await launcher.end(signal.SIGINT)
    assert (code, rest.strip()) == (0, "Stopped. No process is left running.")
    assert await all_gone(parts)
    assert {path.name for path in tmp_path.glob(".run/*")} == {"logs", "instances.jsonl"}
    assert (tmp_path / ".run/instances.jsonl").read_text() == ""  # a registrar that reads it takes them all out
    logs = {file.stem: file.read_text() for file in tmp_path.glob(".run/logs/*.log")}
    assert set(logs) == {"monolith", "runner", "gateway", "shop", "account", "learning", "mailer", "mailbox"}
    assert len(parts) >= len(logs)  # the runner has a helper
    assert all("listening on" in text for text in logs.values())
    assert '"route":"item-bought"' in logs["gateway"].replace(" ", "")


@pytest.mark.connected
async def test_run_finds_its_services_in_a_consul_and_takes_them_out_at_its_end(tmp_path: Path) -> None:
    async with launched(tmp_path, "--keep", "--consul", consul.URL) as launcher:
        start = await launcher.until("Ctrl-C stops everything.")
        export = re.findall(r"^export (?:.*\\\n)*.*\n", start, re.MULTILINE)[0]
        ready = f"until {STRANGLER} services | grep -c ': ready;' | grep -qx 3; do sleep 0.2; done"
        await paste(export + ready, tmp_path)
        code, _ = await launcher.end(signal.SIGINT)
    assert code == 0
    listed = httpx.get(f"{consul.URL}/v1/agent/services", timeout=10, trust_env=False).text
    assert f'"registrar=run-{launcher.pid}"' not in listed


@pytest.mark.walk
async def test_a_demo_that_is_terminated_while_it_starts_leaves_no_process_behind(tmp_path: Path) -> None:
    async with launched(tmp_path) as launcher:
        await launcher.until("gateway  ")
        parts = launcher.parts()
        code, _ = await launcher.end(signal.SIGTERM)
    assert code == 130
    assert len(parts) >= 2
    assert await all_gone(parts)


@pytest.mark.walk
async def test_a_part_that_dies_ends_the_run_with_its_last_lines_and_where_all_of_them_are(tmp_path: Path) -> None:
    async with launched(tmp_path, "--keep") as launcher:
        await launcher.until("shop  ")
        parts = launcher.parts()
        shop = next(part for part in parts if "extracted.shop" in part.cmdline())
        shop.kill()
        code, rest = await launcher.end()
    assert code == 1
    assert "Failed: shop ended with exit code -9; the last lines of .run/logs/shop.log:\n  " in rest
    assert "\n  listening on http://127.0.0.1" in rest
    assert "listening on" in (tmp_path / ".run/logs/shop.log").read_text()
    assert await all_gone(parts)
