"""A system that runs elsewhere, such as in a cluster, and what it has to be like before a migration begins."""

import argparse
import asyncio
import shlex
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.demo.story import StoryFailed, run_command
from examples.demo.system import DemoSystem
from examples.migration.books import counted, sales
from examples.migration.crowd import Crowd
from examples.migration.world import Earlier, Routes

OPTIONS: Mapping[str, str] = {
    "--gateway": "URL of a deployed gateway; several times for several gateways, between which users take turns",
    "--admin": "URL of its admin port",
    "--service": "NAME=URL of each service, for the audit by `polycode`",
    "--folder": "has operator-token, the credential, and mails/, to which somebody brings each mail as a file NAME.eml",
    "--end-monolith": "the command that ends the monolith, and returns when it has ended",
}
SEVERAL = {"--gateway", "--service"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """All, or none."""
    group = parser.add_argument_group("a deployed system, with the routes.yaml that --print-routes prints")
    for name, text in OPTIONS.items():
        group.add_argument(name, help=text, action="append" if name in SEVERAL else "store")


def system_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> DemoSystem:
    """Ends the program if an option is missing."""
    if missing := [name for name in OPTIONS if not getattr(given, name[2:].replace("-", "_"))]:
        parser.error(f"a deployed system also needs {', '.join(missing)}")
    url, *more_urls = given.gateway
    services = dict(one.split("=", 1) for one in given.service if "=" in one)
    return DemoSystem(Path(given.folder), url, given.admin, services, Elsewhere(given.end_monolith), more_urls)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The monolith's process. `command`: ends it."""

    command: str

    async def end(self) -> None:
        """Raises StoryFailed."""
        process = await asyncio.create_subprocess_exec(*shlex.split(self.command), stdout=PIPE, stderr=STDOUT)
        output, _ = await process.communicate()
        if process.returncode:
            raise StoryFailed(f"`{self.command}` ended with exit code {process.returncode}:\n{output.decode()}")


async def begin(system: DemoSystem, routes: Routes) -> None:
    """Takes over what the file has extracted from the start. Raises StoryFailed unless all else is in legacy."""
    states = {route["unit"]: route["state"] for route in await counted(system)}
    if moved := [group for group in routes.groups if states.get(group) != "legacy"]:
        raise StoryFailed(f"not in legacy, or unknown: {', '.join(moved)}; roll them back, and release them")
    for group in sorted(routes.whole):
        if states[group] == "legacy":
            await _adopt(system, group)


async def earlier(system: DemoSystem, crowd: Crowd) -> Earlier:
    """To be asked for before anything moves."""
    routes = await counted(system)
    errors = {route["id"]: sum(route["errors"].values()) for route in routes}
    different = {route["id"]: route["shadow"]["different"] for route in routes}
    return Earlier(await sales(crowd), errors, different)


async def _adopt(system: DemoSystem, group: str) -> None:
    words: Sequence[str] = ("adopt", group, "--why", "the monolith never had it")
    code, output = await run_command(shlex.join(words), system)
    if code:
        raise StoryFailed(f"`strangler {shlex.join(words)}` ended with exit code {code}:\n{output}")
