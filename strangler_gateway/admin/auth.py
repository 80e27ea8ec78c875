"""Who may use the admin API: bearer credentials of a reader and of an operator, compared in constant time."""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from strangler_gateway.settings import Settings


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
    """Who has a credential: the name for the journal."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, repr=False)
class AdminAccess:
    """Digests of the credentials. `loopback`: the admin port cannot be reached from another host."""

    operator: bytes | None
    reader: bytes | None
    loopback: bool

    def denies(self, wanted: Role, authorization: str, host: str) -> Denied | None:
        """None: allowed. `authorization` and `host` are the header fields, "" if there is none."""
        if wanted is Role.OPERATOR and self.operator is None:
            return Denied(
                403,
                f"changes are switched off, because no operator credential is configured; {_HOW.format('OPERATOR')}",
            )
        if self.operator is None and self.reader is None:
            return self._without_credential(host)
        return self._with_credential(wanted, authorization)

    def holder(self, token: str) -> Holder | None:
        """Who has this credential; None: it is unknown."""
        given = _digest(token.strip())
        for role, wanted in ((Role.OPERATOR, self.operator), (Role.READER, self.reader)):
            if _same(given, wanted):
                return Holder(str(role), role)
        return None

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
        given = _digest(token.strip())
        if _same(given, self.operator):
            return None
        if not _same(given, self.reader):
            return Denied(401, f"the credential is unknown; {_SEND}")
        return (
            None
            if wanted is Role.READER
            else Denied(403, "a reader may not do this: an operator's credential is needed")
        )


_HOW = "set STRANGLER_{0}_TOKEN or STRANGLER_{0}_TOKEN_FILE for the gateway and start it again"
_SEND = "send it as `Authorization: Bearer …` (commands: STRANGLER_ADMIN_TOKEN or STRANGLER_ADMIN_TOKEN_FILE)"


def access(settings: Settings) -> AdminAccess:
    """The credentials of the settings; a blank one counts as none."""
    operator, reader = (
        _digest(secret.get_secret_value().strip()) if secret and secret.get_secret_value().strip() else None
        for secret in (settings.operator_token, settings.reader_token)
    )
    return AdminAccess(operator, reader, is_loopback(settings.admin_host))


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
