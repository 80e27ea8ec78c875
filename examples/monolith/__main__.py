"""`python -m examples.monolith`: seeds the database where it is empty, serves it, says where on standard output."""

import argparse
import asyncio
import os
import signal
import sys

import uvicorn

from examples.monolith.app import create_app
from examples.monolith.database import Database
from examples.monolith.documents import ObjectIds
from examples.monolith.seed import SEEDS, sow
from examples.monolith.settings import Settings, SettingsInvalid, from_environment

KEEP_ALIVE_S = 5
GRACE_S = 10


class AnnouncingServer(uvicorn.Server):
    """Prints the address once it accepts connections; port 0 is known only then."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.monolith", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000, help="0: a free one")
    parser.add_argument("--database", default="monolith.sqlite3", help="a file, or an SQLAlchemy URL (async driver)")
    parser.add_argument("--seed", choices=sorted(SEEDS), default="bare", help="what an empty database is filled with")
    return parser.parse_args(argv)


async def serve(settings: Settings, host: str, port: int, seed: str) -> None:
    database = Database(settings.database_url)
    await sow(database, ObjectIds(), seed)
    await database.aclose()
    config = uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    await AnnouncingServer(config).serve()


def main() -> int:
    options = arguments()
    try:
        settings = from_environment(options.database, os.environ)
    except (SettingsInvalid, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit(0))  # uvicorn raises what it caught again, once all is finished
    asyncio.run(serve(settings, options.host, options.port, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
