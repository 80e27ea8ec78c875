"""`python -m examples.demo`: the story, or with --keep the running system. Leaves no process behind."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path

import httpx

from examples.demo import keep, story
from examples.demo.crowd import NobodyInShare
from examples.demo.processes import Child, Children, ProcessFailed, first
from examples.demo.seen import NotSeen
from examples.demo.system import System, start

DEMO_WITHIN_S = 150.0
_FAILURES = (ProcessFailed, story.Failed, NotSeen, NobodyInShare, httpx.HTTPError, TimeoutError, ValueError, OSError)


async def system_for(
    use: Callable[[System], Coroutine[object, object, None]], folder: Path, *, with_mail: bool = False
) -> None:
    """Starts the system in `folder`, uses it, ends it. Raises one of the failures; also when a part ends meanwhile."""
    print("Starting the stand-in monolith, the gateway and the extracted services, on free ports.", flush=True)
    async with Children(started) as children:
        system = await start(children, folder, with_mail=with_mail)
        await first(use(system), children.watch())


def started(child: Child) -> None:
    """Tells where a part listens."""
    print(f"  {child.name:10}{child.url}{f'  (admin {child.admin_url})' if child.admin_url else ''}", flush=True)


async def until_signalled(work: Coroutine[object, object, None]) -> bool:
    """Runs `work`; Ctrl-C, SIGTERM or a closed terminal cancel it, once, in order. False where that happened."""
    task = asyncio.create_task(work)
    signalled = False

    def cancel() -> None:
        nonlocal signalled
        if not signalled:
            signalled = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, cancel)
    await asyncio.wait([task])
    if not signalled:
        task.result()
    return not signalled


def demo() -> int:
    """0: all was seen; 1: a failure, in a sentence; 130: interrupted."""
    with tempfile.TemporaryDirectory(prefix="strangler-demo-") as folder:
        ended = asyncio.run(until_signalled(asyncio.wait_for(system_for(story.tell, Path(folder)), DEMO_WITHIN_S)))
    return 0 if ended else 130


def run() -> int:
    """0: ended by the user; 1: a failure, in a sentence."""
    Path(".run").mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=".run") as folder:
        asyncio.run(until_signalled(system_for(keep.keep, Path(folder).resolve(), with_mail=True)))
    print("\nEnded; nothing is left running.")
    return 0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the system running, with lines to paste")
    try:
        return run() if parser.parse_args().keep else demo()
    except _FAILURES as error:
        print(f"\nFailed: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
