"""`polycode broker`: makes the exchanges and queues of topology.yaml, and a user of RabbitMQ for each deployable."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.parse import unquote, urlsplit

import typer

from chassis.messaging.open import open_broker
from chassis.messaging.port import MessagingError
from chassis.messaging.rabbit.users import apply_users, permissions
from chassis.messaging.topology import Topology, TopologyInvalid, load
from chassis.settings import SettingsInvalid
from extracted.cli import text
from extracted.cli.client import REFUSED, USAGE

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"
app = typer.Typer(help="The broker: who sends what to whom.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
File = Annotated[Path, typer.Option("--topology", help="The file with exchanges and queues.")]
Url = Annotated[
    str,
    typer.Option(
        envvar="POLYCODE_BROKER_URL",
        metavar="URL",
        help="amqp://ADMINISTRATOR:PASSWORD@HOST/VHOST, or sqlite:///PATH; better in the variable than typed.",
    ),
]
Management = Annotated[
    str,
    typer.Option(
        envvar="POLYCODE_BROKER_MANAGEMENT_URL",
        metavar="URL",
        help="http://ADMINISTRATOR:PASSWORD@HOST:15672; better in the variable than typed.",
    ),
]
Passwords = Annotated[
    Path, typer.Option(metavar="FOLDER", help="One file for each user, made (mode 0600) where it is missing.")
]


@app.command()
def show(topology: File = TOPOLOGY, as_json: AsJson = False) -> None:
    """Each deployable's permissions, as regular expressions over queues and exchanges."""
    found = permissions(_read(topology))
    if as_json:
        text.as_json({name: {"configure": p.configure, "write": p.write, "read": p.read} for name, p in found.items()})
        return
    rows = [(name, p.configure, p.write, p.read) for name, p in found.items()]
    text.table(("deployable", "configure", "write", "read"), rows, "the file names nobody")


@app.command()
def apply(url: Url, topology: File = TOPOLOGY) -> None:
    """Make exchanges and queues where they are missing; run it again at will. Refused where one of them differs."""
    wanted = _read(topology)
    try:
        asyncio.run(_declare(url, wanted))
    except SettingsInvalid as error:
        _end(USAGE, str(error))
    except MessagingError as error:
        _end(REFUSED, str(error))
    typer.echo(f"{len(wanted.writers)} exchanges and {len(wanted.queues)} queues are there")


@app.command()
def users(url: Url, management: Management, passwords: Passwords, topology: File = TOPOLOGY) -> None:
    """Make or change a user for each deployable: it reads its own queues, writes where the topology lets it."""
    wanted = _read(topology)
    known = {name: _password(passwords / name) for name in permissions(wanted)}
    vhost = unquote(urlsplit(url).path[1:]) or "/"
    try:
        asyncio.run(apply_users(management, vhost, wanted, known))
    except MessagingError as error:
        _end(REFUSED, str(error))
    typer.echo(f"users {', '.join(known)} may use the virtual host {vhost}; their passwords: {passwords}")


async def _declare(url: str, topology: Topology) -> None:
    broker = open_broker(url, "polycode")
    try:
        await broker.declare(topology)
    finally:
        await broker.aclose()


def _read(path: Path) -> Topology:
    try:
        return load(path)
    except (TopologyInvalid, OSError) as error:
        _end(USAGE, f"{path}: {error}")


def _password(path: Path) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    except OSError as error:
        _end(USAGE, f"{path} cannot be written ({error.strerror})")
    return path.read_text().strip()


def _end(code: int, message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
