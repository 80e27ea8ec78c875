"""`python -m examples.runner`: serves the runner and prints the address."""

import argparse
import asyncio
import os
import sys

from examples.monolith.http.serving import exit_zero_on_signals, listen
from examples.monolith.settings import SettingsInvalid
from examples.runner.app import create_app
from examples.runner.settings import from_environment


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.runner", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3001, help="0 takes a free port")
    return parser.parse_args(argv)


def main() -> int:
    options = arguments()
    try:
        settings = from_environment(os.environ)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    exit_zero_on_signals()
    asyncio.run(listen(create_app(settings), options.host, options.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
