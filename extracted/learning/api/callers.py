"""Who may call which of Learning's routes."""

from chassis.auth.claims import Identity
from extracted.learning import domain
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Allowed, Guarded

GuardedRoute = tuple[str, str, Allowed, Guarded]
"""Method, path, who may call it, and its handler."""


def is_admin(_request: ApiRequest, identity: Identity) -> bool:
    """Administrators only."""
    return domain.administers(identity.roles)


def may_read(_request: ApiRequest, identity: Identity) -> bool:
    """Verified users and administrators."""
    return domain.may_read(identity.roles)


def has_credential(_request: ApiRequest, _identity: Identity) -> bool:
    """Everybody with a valid credential, guests included."""
    return True
