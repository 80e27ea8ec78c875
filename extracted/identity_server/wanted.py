"""The realm as it should be: realm.json, the lifetimes of a compatibility, and the secrets of clients from files."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from chassis.error_reason import reason
from extracted.identity_server.difference import merged

HERE = Path(__file__).parent
MIN_SECRET = 16

Json = Mapping[str, Any]


class Compatibility(StrEnum):
    """strict: sessions of three days without refresh, as the monolith has them. improved: short tokens, refreshed."""

    STRICT = "strict"
    IMPROVED = "improved"


class SecretsMissing(Exception):
    """A client has no secret. The message names the files."""


def wanted_realm(compatibility: Compatibility, secrets: Path) -> Json:
    """`secrets`: a folder with one file per client, called as the client. Raises SecretsMissing."""
    realm: Json = json.loads((HERE / "realm.json").read_text())
    if compatibility is Compatibility.IMPROVED:
        realm = merged(json.loads((HERE / "improved.json").read_text()), realm)
    clients, faults = [], []
    for client in realm["clients"]:
        try:
            clients.append(
                {**client, "secret": _secret(secrets / client["clientId"])} if _has_secret(client) else client
            )
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise SecretsMissing("; ".join(faults))
    return {**realm, "clients": clients}


def _has_secret(client: Json) -> bool:
    return not client["publicClient"] and not client.get("bearerOnly", False)


def _secret(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {reason(error)}") from None
    if len(secret) < MIN_SECRET or not (secret.isascii() and secret.isprintable()):
        raise ValueError(f"{file}: a secret has at least {MIN_SECRET} printable ASCII characters")
    return secret
