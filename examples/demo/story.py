"""Moves one group of routes to the service, back, and again, under traffic; prints each step."""

import asyncio
import shlex
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from examples.demo.clients import Observations
from examples.demo.counters import GroupCounters, GroupCounts
from examples.demo.system import GROUP, STRANGLER, DemoSystem
from examples.demo.traffic import client_traffic

PAUSE_S = 0.15
COMMAND_WITHIN_S = 60.0


class StoryFailed(Exception):
    """A step had an unexpected result; the text is a sentence for the user."""


EnoughTraffic = Callable[[GroupCounts], bool]


@dataclass(frozen=True, slots=True)
class StoryStep:
    """A command as typed, and the traffic to wait for after it. `refused`: the command must fail."""

    command: str
    enough: EnoughTraffic
    refused: bool = False


def _legacy_serves(seen: GroupCounts) -> bool:
    return seen.legacy >= 40


def _compared_enough(seen: GroupCounts) -> bool:
    return seen.least_compared >= 3 and seen.compared >= 40


def _both_serve(seen: GroupCounts) -> bool:
    return seen.legacy >= 15 and seen.extracted >= 8


def _service_serves(seen: GroupCounts) -> bool:
    return seen.extracted >= 40


STEPS = (
    StoryStep(f"flip {GROUP} --to shadow --why 'compare before anybody depends on it'", _compared_enough),
    StoryStep(f"flip {GROUP} --to canary --share 10 --why 'no differences'", _both_serve),
    StoryStep(f"flip {GROUP} --to canary --share 50 --why 'no errors at 10 %'", _both_serve),
    StoryStep(f"flip {GROUP} --to extracted --why 'no errors at 50 %'", _service_serves),
    StoryStep(f"rollback {GROUP}", _legacy_serves),
    StoryStep(f"release {GROUP}", _legacy_serves),
    StoryStep(f"flip {GROUP} --to extracted --why 'it worked before'", _legacy_serves, refused=True),
    StoryStep(f"flip {GROUP} --to shadow --why 'again, step by step'", _compared_enough),
    StoryStep(f"flip {GROUP} --to canary --share 50 --why 'no differences'", _both_serve),
    StoryStep(f"flip {GROUP} --to extracted --why 'no errors at 50 %'", _service_serves),
)


async def play(system: DemoSystem) -> None:
    """Runs all steps. Raises StoryFailed, TooLittleTraffic, TrafficFailed, httpx.HTTPError."""
    observed = Observations()
    print("\nClients log in through the gateway until one is in the first ten per cent.", flush=True)
    async with (
        aclosing(GroupCounters(system, GROUP, observed)) as counters,
        client_traffic(system, observed, PAUSE_S) as clients,
    ):
        print(f"{clients} clients send requests all the time. All routes are in legacy.", flush=True)
        await _wait_for_traffic(counters, observed, _legacy_serves, await counters.read(), time.monotonic())
        for step in STEPS:
            await _run_step(step, system, counters, observed)
    print(f"\nDone: {clients} clients got {observed.answers} answers and no failures.")


async def _run_step(step: StoryStep, system: DemoSystem, counters: GroupCounters, observed: Observations) -> None:
    print(f"\n$ strangler {step.command}", flush=True)
    code, output = await run_command(step.command, system)
    print("\n".join(f"  {line}" for line in output.splitlines()))
    expected = 1 if step.refused else 0
    if code != expected:
        raise StoryFailed(f"`strangler {step.command}` ended with exit code {code}, not {expected}")
    await _wait_for_traffic(counters, observed, step.enough, await counters.read(), time.monotonic())


async def _wait_for_traffic(
    counters: GroupCounters, observed: Observations, enough: EnoughTraffic, before: GroupCounts, started: float
) -> None:
    seen = await counters.until(enough, before)
    if problems := _problems(observed, seen):
        raise StoryFailed(f"{'; '.join(problems)} (counted: {seen})")
    verdict = await counters.until_gate_opens()  # else the next command would be refused
    gate = f"; strangler gate {GROUP}: {verdict.upper()}" if verdict else ""
    print(f"  after {time.monotonic() - started:.1f} s: {seen}, failures: none{gate}", flush=True)


def _problems(observed: Observations, seen: GroupCounts) -> list[str]:
    problems = [f"a client failed: {example}" for example in observed.examples]
    if seen.errors:
        problems.append(f"{seen.errors} requests ended in an error")
    if seen.different:
        problems.append(f"in {seen.different} of {seen.compared} comparisons the service's answer differed")
    return problems


async def run_command(
    command: str, system: DemoSystem, program: str = STRANGLER, within_s: float = COMMAND_WITHIN_S
) -> tuple[int, str]:
    """Runs `strangler`, or `polycode`; returns exit code and output. Raises StoryFailed."""
    process = await asyncio.create_subprocess_exec(
        program, *shlex.split(command), stdout=PIPE, stderr=STDOUT, env=system.environ
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError:
        raise StoryFailed(f"`{Path(program).name} {command}` did not end within {within_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode(errors="replace").rstrip()
