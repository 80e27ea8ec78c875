"""Who may call which of the shop's routes."""

from chassis.auth.claims import Identity
from extracted.shop.domain import administers
from extracted.wire.application import ApiRequest
from extracted.wire.guard import Allowed, Guarded

Described = tuple[str, str, Allowed, Guarded]
"""A route: method, path, who may, and what it does."""


def is_admin(_call: ApiRequest, identity: Identity) -> bool:
    """Administrators alone."""
    return administers(identity.roles)


def is_known(_call: ApiRequest, _identity: Identity) -> bool:
    """Everybody with a credential, guests too."""
    return True
