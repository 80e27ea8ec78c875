"""Runs the gateway's command line under cProfile: `python -m benchmarks.profile.profiled REPORT serve ...`.

Counting starts with SIGUSR1, so that start-up stays out; the report is written at the end.
"""

import cProfile
import runpy
import signal
import sys

_GATEWAY = "strangler_gateway.cli.app"


def main() -> None:
    report = sys.argv.pop(1)
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    try:
        runpy.run_module(_GATEWAY, run_name="__main__", alter_sys=True)
    finally:
        profile.disable()
        profile.dump_stats(report)


if __name__ == "__main__":
    main()
