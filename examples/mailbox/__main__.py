"""`python -m examples.mailbox --folder mails`: accepts every mail and writes mails/0001.eml, mails/0002.eml, …"""

import argparse
import asyncio
import signal
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """aiosmtpd's handler. Creates the folder; keeps files of earlier runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = count(1)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Writes the mail to the next free file. aiosmtpd prescribes the name of the method."""
        content = envelope.original_content or b""
        for number in self._numbers:
            file = self._folder / f"{number:04}.eml"
            if not file.exists():
                file.write_bytes(content)
                return f"250 kept as {file.name}"
        raise AssertionError("numbers do not end")


async def _serve(host: str, port: int, folder: Path) -> None:
    loop, ended, mailbox = asyncio.get_running_loop(), asyncio.Event(), Mailbox(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="mailbox"), host, port)
    print(f"listening on smtp://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()  # from Python 3.12 on, to wait for its end is to wait for every client


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.mailbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--folder", type=Path, default=Path("mails"))
    given = parser.parse_args()
    asyncio.run(_serve(given.host, given.port, given.folder))


if __name__ == "__main__":
    main()
