"""The main job, told while it happens: one group goes to the service and back, and there again, under traffic."""

import asyncio
import shlex
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from examples.demo.clients import Noticed
from examples.demo.crowd import calling
from examples.demo.seen import Counter, Counts
from examples.demo.system import GROUP, STRANGLER, System

PAUSE_S = 0.15
COMMAND_WITHIN_S = 20.0
SEEN_WITHIN_S = 30.0


class Failed(Exception):
    """Something was not as it has to be; the text is a sentence for whoever watches."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command as typed, and what has to be seen before the next one; `refused` where it must not come about."""

    command: str
    enough: Callable[[Counts], bool]
    refused: bool = False


def _legacy(seen: Counts) -> bool:
    return seen.legacy >= 40


def _compared(seen: Counts) -> bool:
    return seen.least_compared >= 3 and seen.compared >= 40


def _both(seen: Counts) -> bool:
    return seen.legacy >= 15 and seen.extracted >= 8


def _extracted(seen: Counts) -> bool:
    return seen.extracted >= 40


STEPS = (
    Step(f"flip {GROUP} --to shadow --why 'compare before anybody depends on it'", _compared),
    Step(f"flip {GROUP} --to canary --share 10 --why 'no differences'", _both),
    Step(f"flip {GROUP} --to canary --share 50 --why 'no errors at 10 %'", _both),
    Step(f"flip {GROUP} --to extracted --why 'no errors at 50 %'", _extracted),
    Step(f"rollback {GROUP}", _legacy),
    Step(f"release {GROUP}", _legacy),
    Step(f"flip {GROUP} --to extracted --why 'it worked before'", _legacy, refused=True),
    Step(f"flip {GROUP} --to shadow --why 'again, step by step'", _compared),
    Step(f"flip {GROUP} --to canary --share 50 --why 'no differences'", _both),
    Step(f"flip {GROUP} --to extracted --why 'no errors at 50 %'", _extracted),
)


async def tell(system: System) -> None:
    """Runs all steps. Raises Failed, NotSeen, httpx.HTTPError."""
    noticed = Noticed()
    print("\nClients log in through the gateway, until somebody is among the first ten per cent.", flush=True)
    async with aclosing(Counter(system, GROUP)) as counter, calling(system, noticed, PAUSE_S) as clients:
        print(f"{clients} clients keep calling. Everything is in legacy.", flush=True)
        await _look(counter, noticed, _legacy, await counter.read(), time.monotonic())
        for step in STEPS:
            await _take(step, system, counter, noticed)
    print(f"\nDone: {noticed.answers} answers to {clients} clients, failures: none.")


async def _take(step: Step, system: System, counter: Counter, noticed: Noticed) -> None:
    print(f"\n$ strangler {step.command}", flush=True)
    code, output = await _strangler(step.command, system)
    print("\n".join(f"  {line}" for line in output.splitlines()))
    if code != (1 if step.refused else 0):
        raise Failed(
            f"`strangler {step.command}` ended with exit code {code}, {'1' if step.refused else '0'} was wanted"
        )
    await _look(counter, noticed, step.enough, await counter.read(), time.monotonic())


async def _look(
    counter: Counter, noticed: Noticed, enough: Callable[[Counts], bool], before: Counts, started: float
) -> None:
    seen = await counter.until(enough, before, SEEN_WITHIN_S)
    if troubles := _troubles(noticed, seen):
        raise Failed(f"{'; '.join(troubles)} (seen: {seen})")
    print(f"  seen in {time.monotonic() - started:.1f} s: {seen}, failures: none", flush=True)


def _troubles(noticed: Noticed, seen: Counts) -> list[str]:
    troubles = [f"a client noticed: {example}" for example in noticed.examples]
    if seen.errors:
        troubles.append(f"{seen.errors} requests ended in an error")
    if seen.different:
        troubles.append(f"{seen.different} of {seen.compared} comparisons found the service's answer to differ")
    return troubles


async def _strangler(command: str, system: System) -> tuple[int, str]:
    """Exit code and output of the real command. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        STRANGLER, *shlex.split(command), stdout=PIPE, stderr=STDOUT, env=system.environ
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), COMMAND_WITHIN_S)
    except TimeoutError:
        raise Failed(f"`strangler {command}` did not end within {COMMAND_WITHIN_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, output.decode(errors="replace").rstrip()
