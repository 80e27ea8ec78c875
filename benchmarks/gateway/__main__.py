"""Compares the gateway with other proxies in one run: `python -m benchmarks.gateway`. The last line printed is JSON.

The proxy under test has one core; upstream and load generator share the other. The designs alternate within the run,
and ratios are medians over its rounds: compare ratios, not figures. All designs get the same requests.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from benchmarks.common.designs import STARTERS
from benchmarks.common.processes import DidNotStart
from benchmarks.common.report import missed
from benchmarks.gateway.comparison import Comparison, Options


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=default.rounds, help="number of rounds (default %(default)s)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=default.seconds,
        help="per design and round (default %(default)s; integers with wrk)",
    )
    parser.add_argument("--only", type=_names, default=default.only, help=f"comma-separated: {', '.join(STARTERS)}")
    parser.add_argument(
        "--download-mib", type=int, default=default.download_mib, help="0 turns it off (default %(default)s)"
    )
    parser.add_argument(
        "--stream-mib", type=int, default=default.stream_mib, help="each way; 0 turns it off (default %(default)s)"
    )
    parser.add_argument(
        "--slow-seconds", type=float, default=default.slow_seconds, help="0 turns it off (default %(default)s)"
    )
    parser.add_argument(
        "--read-seconds", type=float, default=default.read_seconds, help="0 turns it off (default %(default)s)"
    )
    parser.add_argument(
        "--auth-seconds", type=float, default=default.auth_seconds, help="0 turns it off (default %(default)s)"
    )
    parser.add_argument(
        "--resilience-seconds",
        type=float,
        default=default.resilience_seconds,
        help="0 turns it off (default %(default)s)",
    )
    parser.add_argument(
        "--workers-seconds", type=float, default=default.workers_seconds, help="0 turns it off (default %(default)s)"
    )
    parser.add_argument("--json-only", action="store_true", help="print only the JSON line")
    return parser.parse_args(argv)


def _names(text: str) -> tuple[str, ...]:
    chosen = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in chosen if name not in STARTERS]:
        raise argparse.ArgumentTypeError(f"no design is named {', '.join(unknown)}")
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    given = vars(arguments(argv))
    quiet = given.pop("json_only")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        result = Comparison(Options(**given), _quiet if quiet else _say).run()
    except KeyboardInterrupt:
        print("interrupted; everything that was started has ended", file=sys.stderr)
        return 130
    except (DidNotStart, OSError, RuntimeError, ValueError) as fault:
        print(f"no result: {fault}", file=sys.stderr)
        return 1
    if not quiet:
        for sentence in missed(result):
            print(f"target not reached: {sentence}")
    print(json.dumps(result))
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)


def _quiet(_line: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
