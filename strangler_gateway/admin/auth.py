"""Who may use the admin API: bearer credentials of a reader and of operators, compared in constant time."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from chassis.settings import SettingsInvalid, revealed
from strangler_gateway.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SHORTEST = 8
_LONG = 16
_MOST = 1000


class Role(StrEnum):
    """A reader may look; an operator may look and move routes."""

    READER = "reader"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a caller is refused."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a credential. `named`: by a name of one's own, which the journal says; else all share `operator`."""

    name: str
    role: Role
    named: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class AdminAccess:
    """Digests of the credentials. `loopback`: the admin port cannot be reached from another host."""

    operator: bytes | None
    reader: bytes | None
    loopback: bool
    named: Mapping[str, bytes] = field(default_factory=dict)
    """Operators by name."""

    def denies(self, wanted: Role, authorization: str, host: str) -> Denied | None:
        """None: allowed. `authorization` and `host` are the header fields, "" if there is none."""
        if wanted is Role.OPERATOR and self.operator is None and not self.named:
            return Denied(
                403,
                f"changes are switched off, because no operator credential is configured; {_HOW.format('OPERATOR')}",
            )
        if self.operator is None and self.reader is None and not self.named:
            return self._without_credential(host)
        return self._with_credential(wanted, authorization)

    def holder(self, token: str) -> Holder | None:
        """Who has this credential; None: it is unknown."""
        given = _digest(token.strip())
        for role, wanted in ((Role.OPERATOR, self.operator), (Role.READER, self.reader)):
            if _same(given, wanted):
                return Holder(str(role), role)
        return next((Holder(name, Role.OPERATOR, True) for name, one in self.named.items() if _same(given, one)), None)

    def _without_credential(self, host: str) -> Denied | None:
        if not self.loopback:
            how = _HOW.format("READER")
            return Denied(
                403, f"reads are switched off, because the admin port is not on loopback and has no credential; {how}"
            )
        if not is_loopback(_name(host)):
            return Denied(
                403, "reads without a credential require a loopback name in Host, because a web page may be asking"
            )
        return None

    def _with_credential(self, wanted: Role, authorization: str) -> Denied | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Denied(401, f"the credential of an {wanted} is required; {_SEND}")
        holder = self.holder(token)
        if holder is None:
            return Denied(401, f"the credential is unknown; {_SEND}")
        if holder.role is Role.OPERATOR:
            return None
        return (
            None
            if wanted is Role.READER
            else Denied(403, "a reader may not do this: an operator's credential is needed")
        )


_HOW = "set STRANGLER_{0}_TOKEN or STRANGLER_{0}_TOKEN_FILE for the gateway and start it again"
_SEND = "send it as `Authorization: Bearer …` (commands: STRANGLER_ADMIN_TOKEN or STRANGLER_ADMIN_TOKEN_FILE)"


def bearer(authorization: str) -> str:
    """The credential in the header field; "" if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def access(settings: Settings) -> AdminAccess:
    """The credentials of the settings; a blank one counts as none. Raises SettingsInvalid."""
    operator, reader = (
        _digest(secret.get_secret_value().strip()) if secret and secret.get_secret_value().strip() else None
        for secret in (settings.operator_token, settings.reader_token)
    )
    named = _named(revealed(settings.admin_tokens) or "")
    taken = [*named.values(), *filter(None, (operator, reader))]
    if len(set(taken)) < len(taken) and named:
        raise SettingsInvalid("STRANGLER_ADMIN_TOKENS: a credential is given twice; each name has one of its own")
    return AdminAccess(operator, reader, is_loopback(settings.admin_host), named)


def weaknesses(settings: Settings) -> list[str]:
    """A sentence for each credential that can be guessed. Wrong ones are not limited: a rollback is never refused."""
    given = {"STRANGLER_OPERATOR_TOKEN": settings.operator_token, "STRANGLER_READER_TOKEN": settings.reader_token}
    return [
        f"{name} has fewer than {_LONG} characters and can be guessed; use random ones: `openssl rand -hex 32`"
        for name, secret in given.items()
        if secret and 0 < len(secret.get_secret_value().strip()) < _LONG
    ]


def _named(text: str) -> dict[str, bytes]:
    """By name. No message shows a token."""
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, token = (part.strip() for part in line.partition(":"))
        if not colon or not _NAME.fullmatch(name) or len(token) < _SHORTEST:
            wanted = f"wanted NAME:TOKEN, with a token of at least {_SHORTEST} characters"
            raise SettingsInvalid(f"STRANGLER_ADMIN_TOKENS: line {number} names no operator; {wanted}")
        if name in found or name in list(Role):
            raise SettingsInvalid(f"STRANGLER_ADMIN_TOKENS: line {number}: the name {name} is taken")
        found[name] = _digest(token)
    if len(found) > _MOST:
        raise SettingsInvalid(f"STRANGLER_ADMIN_TOKENS names {len(found)} operators; at most {_MOST} are taken")
    return found


def is_loopback(host: str) -> bool:
    """Whether a host name or address is reachable from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str:
    """The name in a Host field: `[::1]:8081`, `localhost:8081`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _digest(token: str) -> bytes:
    """Of a fixed length, so that a comparison does not reveal the length of the secret."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _same(given: bytes, wanted: bytes | None) -> bool:
    return wanted is not None and hmac.compare_digest(given, wanted)
