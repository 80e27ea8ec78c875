"""`python -m examples.monolith`: fills an empty database with a seed, serves it, and prints the address."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from examples.monolith.app import create_app
from examples.monolith.http.serving import exit_zero_on_signals, listen
from examples.monolith.seed import SEEDS, fill_empty
from examples.monolith.settings import Settings, SettingsInvalid, from_environment, read_secret
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import ObjectIds


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.monolith", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000, help="0 takes a free port")
    parser.add_argument("--database", default="monolith.sqlite3", help="a file or postgresql://…")
    parser.add_argument(
        "--database-file", metavar="PATH", help="a file with what --database would be: it may hold a password"
    )
    parser.add_argument("--documents", help="mongodb://HOST/NAME; default: tables of the database")
    parser.add_argument("--seed", choices=sorted(SEEDS), default="bare", help="what to fill an empty database with")
    return parser.parse_args(argv)


async def serve(settings: Settings, host: str, port: int, seed: str) -> None:
    database = Database(settings.database_url, documents_url=settings.documents)
    await fill_empty(database, ObjectIds(), seed, settings.password_rounds)
    await database.aclose()
    await listen(create_app(settings), host, port)


def main() -> int:
    options = arguments()
    try:
        database = read_secret(Path(options.database_file)) if options.database_file else options.database
        settings = from_environment(database, os.environ, options.documents)
    except (SettingsInvalid, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    exit_zero_on_signals()
    asyncio.run(serve(settings, options.host, options.port, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
