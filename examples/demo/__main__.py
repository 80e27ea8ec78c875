"""`python -m examples.demo`: plays the story; with --keep it starts the system and keeps it running."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path

import httpx

from examples.demo import running, story
from examples.demo.clients import CallFailed
from examples.demo.counters import TooLittleTraffic, TrafficFailed
from examples.demo.discovered import InConsul
from examples.demo.instance_list import InstanceList
from examples.demo.processes import LaunchedProcess, Launcher, ProcessFailed, first
from examples.demo.system import DemoSystem, start
from examples.demo.traffic import NoUserInShare

DEMO_WITHIN_S = 270.0
"""It needs a tenth of that on two idle cores."""
LOGS = Path(".run/logs")
INSTANCES = Path(".run/instances.jsonl")
"""What `make run` has started, for a registrar (docs/discovery.md)."""
FAILURES = (
    CallFailed,
    ProcessFailed,
    story.StoryFailed,
    TooLittleTraffic,
    TrafficFailed,
    NoUserInShare,
    httpx.HTTPError,
    TimeoutError,
    ValueError,
    OSError,
)


async def system_for(
    use: Callable[[DemoSystem], Coroutine[object, object, None]],
    folder: Path,
    *,
    with_mail: bool = False,
    logs: Path | None = None,
    heard: Callable[[LaunchedProcess], None] = lambda process: None,
    in_consul: InConsul | None = None,
) -> None:
    """Starts the system in `folder`, uses it and ends it. Raises also when one of its processes ends early."""
    print("Starting the stand-in monolith, the gateway and the extracted services on free ports.", flush=True)

    def listens(process: LaunchedProcess) -> None:
        started(process)
        heard(process)

    async with Launcher(listens, logs) as launcher:
        try:
            is_linux = sys.platform == "linux"  # elsewhere Runner cannot isolate programs
            with_runner = with_mail and is_linux
            system = await start(launcher, folder, with_mail=with_mail, with_runner=with_runner, in_consul=in_consul)
            await first(use(system), launcher.watch())
        except FAILURES:
            await launcher.raise_ended()
            raise


def started(process: LaunchedProcess) -> None:
    """Prints where a process listens."""
    print(
        f"  {process.name:10}{process.url}{f'  (admin {process.admin_url})' if process.admin_url else ''}", flush=True
    )


async def until_signalled(work: Coroutine[object, object, None]) -> bool:
    """Runs `work`. The first Ctrl-C, SIGTERM or closed terminal cancels it. Returns false when cancelled."""
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
    """The exit code: 0 when every step succeeded, 130 when interrupted."""
    with tempfile.TemporaryDirectory(prefix="strangler-demo-") as folder:
        ended = asyncio.run(until_signalled(asyncio.wait_for(system_for(story.play, Path(folder)), DEMO_WITHIN_S)))
    return 0 if ended else 130


def run(consul: str | None) -> int:
    """The exit code: 0 when the user ended it. `consul`: the URL of an agent."""
    LOGS.parent.mkdir(mode=0o700, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    print(f"Each process writes to {LOGS}/NAME.log; the files stay there until the next start.")
    listed, in_consul = InstanceList(INSTANCES), InConsul(consul, INSTANCES.resolve()) if consul else None
    with tempfile.TemporaryDirectory(dir=LOGS.parent) as folder:
        work = system_for(
            running.keep_running,
            Path(folder).resolve(),
            with_mail=True,
            logs=LOGS,
            heard=listed.add,
            in_consul=in_consul,
        )
        try:
            asyncio.run(until_signalled(work))
        finally:
            listed.clear()
    print("\nStopped. No process is left running.")
    return 0


def main() -> int:
    """The exit code; 1 after a failure, printed as a sentence."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the system running and print commands to paste")
    parser.add_argument("--consul", metavar="URL", help="with --keep: find the services in this Consul, by a registrar")
    options = parser.parse_args()
    try:
        return run(options.consul) if options.keep else demo()
    except FAILURES as error:
        print(f"\nFailed: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
