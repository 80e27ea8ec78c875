"""`polycode broker`: creates the exchanges and queues of topology.yaml, and a RabbitMQ user for each deployable."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.parse import unquote, urlsplit

import typer

from chassis.error_reason import reason
from chassis.messaging.open import open_broker
from chassis.messaging.port import MessagingError
from chassis.messaging.rabbit.users import apply_users, permissions
from chassis.messaging.topology import Topology, TopologyInvalid, load
from chassis.settings import SettingsInvalid
from extracted.cli import text
from extracted.cli.client import REFUSED, USAGE
from extracted.cli.options import AsJson

TOPOLOGY: Final = Path(__file__).parents[1] / "topology.yaml"
app = typer.Typer(help="Create exchanges, queues and users of the broker.", no_args_is_help=True)
File = Annotated[Path, typer.Option("--topology", help="The file that declares exchanges and queues.")]
Url = Annotated[
    str,
    typer.Option(
        envvar="POLYCODE_BROKER_URL",
        metavar="URL",
        help="amqp://ADMINISTRATOR:PASSWORD@HOST/VHOST, or sqlite:///PATH; prefer the variable, which keeps the "
        "password out of the shell's history.",
    ),
]
Management = Annotated[
    str,
    typer.Option(
        envvar="POLYCODE_BROKER_MANAGEMENT_URL",
        metavar="URL",
        help="http://ADMINISTRATOR:PASSWORD@HOST:15672; prefer the variable here too.",
    ),
]
Passwords = Annotated[
    Path, typer.Option(metavar="FOLDER", help="One file for each user. A missing file is created (mode 0600).")
]


@app.command()
def show(topology: File = TOPOLOGY, as_json: AsJson = False) -> None:
    """Show the permissions of each deployable, as regular expressions on queues and exchanges."""
    found = permissions(_read(topology, as_json))
    answer = {name: {"configure": p.configure, "write": p.write, "read": p.read} for name, p in found.items()}
    rows = [(name, p.configure, p.write, p.read) for name, p in found.items()]
    columns = ("deployable", "configure", "write", "read")
    text.show(answer, columns, rows, as_json=as_json, empty="the file names no deployable")


@app.command()
def apply(url: Url, topology: File = TOPOLOGY, as_json: AsJson = False) -> None:
    """Create missing exchanges and queues. Safe to repeat. Fails if an existing one differs."""
    wanted = _read(topology, as_json)
    try:
        asyncio.run(_declare(url, wanted))
    except SettingsInvalid as error:
        _end(USAGE, str(error), as_json)
    except MessagingError as error:
        _end(REFUSED, str(error), as_json)
    if as_json:
        text.print_json({"exchanges": sorted(wanted.writers), "queues": sorted(one.name for one in wanted.queues)})
    else:
        typer.echo(f"{len(wanted.writers)} exchanges and {len(wanted.queues)} queues exist")


@app.command()
def users(
    url: Url, management: Management, passwords: Passwords, topology: File = TOPOLOGY, as_json: AsJson = False
) -> None:
    """Create or change a user for each deployable. It may read its own queues and write to what the topology allows."""
    wanted = _read(topology, as_json)
    known = {name: _password(passwords / name, as_json) for name in permissions(wanted)}
    vhost = unquote(urlsplit(url).path[1:]) or "/"
    try:
        asyncio.run(apply_users(management, vhost, wanted, known))
    except MessagingError as error:
        _end(REFUSED, str(error), as_json)
    if as_json:
        text.print_json({"vhost": vhost, "users": list(known), "passwords": str(passwords)})
    else:
        typer.echo(f"users of the virtual host {vhost}: {', '.join(known)}; their passwords are in {passwords}")


async def _declare(url: str, topology: Topology) -> None:
    broker = open_broker(url, "polycode")
    try:
        await broker.declare(topology)
    finally:
        await broker.aclose()


def _read(path: Path, as_json: bool) -> Topology:
    try:
        return load(path)
    except (TopologyInvalid, OSError) as error:
        _end(USAGE, f"{path}: {error}", as_json)


def _password(path: Path, as_json: bool) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    except OSError as error:
        _end(USAGE, f"{path} cannot be written ({reason(error)})", as_json)
    return path.read_text().strip()


def _end(code: int, message: str, as_json: bool) -> NoReturn:
    text.fail(code, "polycode", message, as_json)
