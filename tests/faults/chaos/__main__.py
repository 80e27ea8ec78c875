"""A minute of everything that may fail, on a real Consul and a real Redis: `python -m tests.faults.chaos`.

It starts its own servers. The last line is JSON. Exit code 1 on a violation. Ctrl-C ends all processes.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import httpx

from parts.place import PartFailed
from tests.faults.chaos.audit import Seen, counted, doubled, lost, violations
from tests.faults.chaos.events import Events
from tests.faults.chaos.scene import INSTANCES, Scene, passing, started
from tests.support.system.waiting import until

WHOLE_S = 60.0
"""On a free machine every kind happens in less."""
FAILURES = (AssertionError, OSError, httpx.HTTPError, KeyError, ValueError, PartFailed)


def chaos(duration_s: float, seed: int) -> int:
    """Returns the exit code."""
    print(f"seed {seed}, {duration_s:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, started(Path(folder), seed) as scene:
        scene.traffic.start()
        try:
            events = Events(scene, random.Random(f"{seed} events"))
            wrong, happened = _broken(events, duration_s)
            wrong += _healed(scene)
        finally:
            scene.traffic.stop()
        seen = scene.seen()
        wrong += violations(seen)
        _show(events, happened, wrong, scene)
        print(json.dumps(_report(seed, seen, happened, wrong, events)), flush=True)
    return 1 if wrong else 0


def _broken(events: Events, duration_s: float) -> tuple[list[str], dict[str, int]]:
    """All kinds in a random order, again and again, until time is up. Returns what was wrong, and what happened."""
    began, wrong, happened = time.monotonic(), list[str](), dict[str, int]()
    for kind in _order(events):
        at = time.monotonic() - began
        if is_over(at, duration_s, len(events.kinds()) - len(happened)):
            break
        happened[kind] = happened.get(kind, 0) + 1
        try:
            said = events.kinds()[kind]()
        except FAILURES as error:
            said = f"WRONG: {error}"
            wrong.append(f"{at:.1f} s, {kind}: {error}")
            wrong += _healed(events.scene)
        print(f"{at:6.1f} s  {kind}: {said}", flush=True)
        for refused, times in Counter(events.scene.refused).items():
            print(f"          {times} times refused meanwhile: {refused[:400]}", flush=True)
        events.scene.refused.clear()
    return wrong, happened


def is_over(at_s: float, duration_s: float, missing: int) -> bool:
    """A run of a minute or more goes on, on a slow machine, until the `missing` kinds have happened as well."""
    return at_s >= duration_s and (not missing or duration_s < WHOLE_S)


def _order(events: Events) -> Iterator[str]:
    while True:
        kinds = list(events.kinds())
        events.chance.shuffle(kinds)
        yield from kinds


def _healed(scene: Scene) -> list[str]:
    """Repairs everything; all must come to rest, forward and with all instances."""
    try:
        scene.repair()
        scene.agree()
        until(lambda: passing(scene) == INSTANCES, "Consul knows all instances")
        scene.forward()
    except FAILURES as error:
        return [f"not healed: {error}"]
    return []


def _show(events: Events, happened: dict[str, int], wrong: Sequence[str], scene: Scene) -> None:
    print(f"\n{'seconds until the traffic followed':36} times    p50    max")
    for kind, seconds in sorted(events.followed.items()):
        print(f"{kind:36} {len(seconds):5} {median(seconds):6.2f} {max(seconds):6.2f}")
    print(f"{sum(happened.values())} events of {len(happened)} kinds of {len(events.kinds())}", flush=True)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        for one in scene.gateways:
            told = [line for line in one.running.lines if '"event":"request"' not in line]
            print(f"== {one.name}", *told[-60:], sep="\n", file=sys.stderr)


def _report(seed: int, seen: Seen, happened: dict[str, int], wrong: Sequence[str], events: Events) -> dict[str, object]:
    return {
        "seed": seed,
        "events": happened,
        "requests": {"all": len(seen.sent), **counted(seen.sent)},
        "lost": len(lost(seen)),
        "doubled": len(doubled(seen)),
        "violations": len(wrong),
        "followed_s": {
            kind: {"p50": round(median(seconds), 2), "max": round(max(seconds), 2)}
            for kind, seconds in sorted(events.followed.items())
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    duration_s = float(os.environ.get("DURATION_S") or 60)
    parser.add_argument(
        "--duration-s", type=float, default=duration_s, help="default: DURATION_S in the environment, or 60"
    )
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run; the default is a new one")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends as Ctrl-C does: all processes, too
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    try:
        return chaos(options.duration_s, seed)
    except KeyboardInterrupt:
        print("ended early: all processes are stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
