"""Who may call which of the shop's routes."""

from chassis.auth.claims import Identity
from extracted.shop.domain import administers
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Allowed, Guarded

GuardedRoute = tuple[str, str, Allowed, Guarded]
"""Method, path, who may call it, and its handler."""


def is_admin(_request: ApiRequest, identity: Identity) -> bool:
    """Administrators only."""
    return administers(identity.roles)


def has_credential(_request: ApiRequest, _identity: Identity) -> bool:
    """Everybody with a valid credential, guests included."""
    return True
