"""`polycode identity`: PolyCode's realm in Keycloak."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from chassis.error_reason import reason
from extracted.cli import text
from extracted.cli.client import REFUSED, UNREACHABLE, USAGE
from extracted.cli.options import AsJson
from extracted.identity_server.difference import Change
from extracted.identity_server.domain import Administrator, ForeignRealm, IdentityServerAway, IdentityServerRefused
from extracted.identity_server.wanted import Compatibility, Json, SecretsMissing, wanted_realm

app = typer.Typer(help="Set up PolyCode's realm in Keycloak.", no_args_is_help=True)

_EXAMPLE = "http://127.0.0.1:8080"
_REALM = re.compile(r"[A-Za-z0-9_-]{1,64}")
Url = Annotated[str, typer.Option("--url", envvar="POLYCODE_KEYCLOAK_URL", help="Where Keycloak is.")]
Realm = Annotated[str, typer.Option("--realm", envvar="POLYCODE_KEYCLOAK_REALM", help="The realm's name.")]
User = Annotated[str, typer.Option("--user", envvar="POLYCODE_KEYCLOAK_USER", help="An administrator of realm master.")]
PasswordFile = Annotated[
    Path, typer.Option("--password-file", envvar="POLYCODE_KEYCLOAK_PASSWORD_FILE", help="Holds its password.")
]
Secrets = Annotated[
    Path,
    typer.Option("--secrets", envvar="POLYCODE_KEYCLOAK_SECRETS", help="A folder with a file per client: its secret."),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", envvar="POLYCODE_KEYCLOAK_CA_FILE", help="Who signed Keycloak's certificate."),
]
Compat = Annotated[
    Compatibility,
    typer.Option(help="strict: sessions of three days, as in the monolith. improved: short tokens with refresh."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over a realm of this name that was made by others.")]


@app.callback()
def _group() -> None:
    """Keeps `apply` a verb of its own."""


@app.command("apply")
def apply_realm(
    password_file: PasswordFile,
    secrets: Secrets,
    url: Url = _EXAMPLE,
    realm: Realm = "polycode",
    user: User = "admin",
    compat: Compat = Compatibility.STRICT,
    ca_file: CaFile = None,
    dry_run: DryRun = False,
    adopt: Adopt = False,
    as_json: AsJson = False,
) -> None:
    """Make the realm what extracted/identity_server/realm.json says, and show what changed.

    Users and all that realm.json does not name stay as they are. Exit codes: 0 done, 1 refused, 2 wrong usage,
    3 Keycloak is unreachable.
    """
    _check(url, realm)
    try:
        wanted = wanted_realm(compat, secrets)
        administrator = Administrator(user, _password(password_file, as_json))
        changes = asyncio.run(_changes((url, realm, administrator, ca_file), wanted, dry_run, adopt))
    except SecretsMissing as error:
        text.fail(USAGE, "polycode", str(error), as_json)
    except ForeignRealm:
        message = f"{url} has a realm {realm} that polycode did not make; choose another name with --realm, or --adopt"
        text.fail(REFUSED, "keycloak", message, as_json)
    except IdentityServerAway as error:
        text.fail(UNREACHABLE, "keycloak", f"no answer from {url} ({error}); check --url", as_json)
    except IdentityServerRefused as error:
        text.fail(REFUSED, "keycloak", f"{url} refuses {user}: {error}", as_json)
    _show(changes, realm, dry_run, as_json)


def _check(url: str, realm: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise typer.BadParameter(f'"{text.plain(url)}" is not an address like {_EXAMPLE}', param_hint="--url")
    if not _REALM.fullmatch(realm):
        raise typer.BadParameter("it may only have letters, digits, - and _", param_hint="--realm")


def _password(file: Path, as_json: bool) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        text.fail(USAGE, "polycode", f"--password-file: {file} cannot be read: {reason(error)}", as_json)


_Where = tuple[str, str, Administrator, Path | None]


async def _changes(where: _Where, wanted: Json, dry_run: bool, adopt: bool) -> Sequence[Change]:
    # Keycloak's library takes a good part of a second to import: only this command pays for it.
    from extracted.identity_server.apply import apply, missing
    from extracted.identity_server.keycloak import realm_administration

    async with realm_administration(*where) as admin:
        return await (missing if dry_run else apply)(admin, wanted, adopt)


def _show(changes: Sequence[Change], realm: str, dry_run: bool, as_json: bool) -> None:
    answer = {
        "realm": realm,
        "applied": not dry_run,
        "changes": [{"what": one.path, "before": one.before, "after": one.after} for one in changes],
    }
    rows = [(one.path, one.before, one.after) for one in changes]
    text.show(answer, ("what", "before", "after"), rows, as_json=as_json, empty="nothing to change")
