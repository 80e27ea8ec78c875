"""The gateway: sends each request to the monolith or to an extracted service, as routes.yaml says.

The names in `__all__` are public (docs/plugins.md): for identity plugins, and for programs that run the gateway.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "NOBODY",
    "AuthenticationOutcome",
    "Fields",
    "Identity",
    "IdentityProvider",
    "IdentityUnavailable",
    "Settings",
    "run",
    "serve",
]

_HOME = {"Settings": "strangler_gateway.settings", "run": "strangler_gateway.main", "serve": "strangler_gateway.main"}
_CLAIMS = "chassis.auth.claims"


def __getattr__(name: str) -> Any:
    """Imported at the first use: a command must not wait for what its verb does not need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, _CLAIMS)), name)
