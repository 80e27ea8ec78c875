"""`python -m chassis.registrar --list FILE`: registers what runs in Consul, and deregisters what has left."""

import argparse
import asyncio
import json
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from chassis.consul.client import Consul
from chassis.registrar.lists import Lists, from_command, from_file
from chassis.registrar.registrar import Registrar, RegistrarPass, tell
from chassis.registrar.settings import RegistrarSettings
from chassis.service.logs import configure
from chassis.settings import SettingsInvalid, load

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 not all could be done (with --once), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    configure("registrar")
    try:
        return asyncio.run(_run(options, load(RegistrarSettings)))
    except (SettingsInvalid, ValueError, OSError) as error:
        print(f"registrar cannot start: {error}", file=sys.stderr)
        return 1


async def _run(options: argparse.Namespace, settings: RegistrarSettings) -> int:
    consul = Consul(settings.consul)
    try:
        registrar = Registrar(consul, _lists(options), options.name, options.check_interval)
        if options.once:
            return _shown(await registrar.once(), as_json=options.json)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await registrar.run(options.interval, stop, options.alive)
        return _shown(await registrar.withdraw(), as_json=options.json) if options.deregister_on_exit else 0
    finally:
        consul.close()


def _lists(options: argparse.Namespace) -> Lists:
    return from_file(options.list) if options.list else from_command(shlex.split(options.command))


def _shown(done: RegistrarPass, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(asdict(done)), flush=True)
    else:
        tell(done)
    return 1 if done.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chassis.registrar",
        description="Registers what runs at the Consul agent of this host, and deregisters what has left the list.",
        epilog='A line of the list: {"service": "items", "host": "10.0.0.1", "port": 8102, "tags": ["v1"], '
        '"health": "/health/ready"}. Without "health" an open port counts as ready. '
        "The agent is named by REGISTRAR_CONSUL_URL, its ACL token by REGISTRAR_CONSUL_TOKEN or _FILE.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--list", type=Path, metavar="FILE", help="a file with one instance a line, in JSON")
    source.add_argument("--command", metavar="COMMAND", type=_words, help="a command that prints such lines")
    parser.add_argument(
        "--name", type=_name, default="registrar", help="marks what this registrar has registered (default: registrar)"
    )
    parser.add_argument("--interval", type=_seconds, default=5.0, help="seconds between two looks (default: 5)")
    parser.add_argument(
        "--check-interval", type=_seconds, default=5.0, help="seconds between two checks by the agent (default: 5)"
    )
    parser.add_argument("--once", action="store_true", help="look once, then end")
    parser.add_argument(
        "--deregister-on-exit", action="store_true", help="at SIGTERM, deregister all that it registered"
    )
    parser.add_argument(
        "--alive", type=Path, metavar="FILE", help="a file to touch after each look, for a health check by its age"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON (with --once, or at the end)")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("wanted seconds from 0.1 to 3600")
    return seconds


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("wanted letters, digits, dots, dashes and underscores")
    return text


def _words(text: str) -> str:
    if not shlex.split(text):
        raise argparse.ArgumentTypeError("wanted a command")
    return text


if __name__ == "__main__":
    sys.exit(main())
