"""Identity plugins: `module:factory` of routes.yaml, imported by name."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from chassis.auth.claims import IdentityProvider
from strangler_gateway.identity.rules import IdentityRulesInvalid

_PORT = ("identify", "confirm", "aclose")


def find_factory(name: str) -> Callable[[], Any]:
    """Imports the module of `module:factory`; the factory is not called. Raises IdentityRulesInvalid."""
    module, _, factory = name.partition(":")
    if not module or not factory:
        raise IdentityRulesInvalid(f'identity plugin "{name}": wanted "module:factory"')
    try:
        found = getattr(import_module(module), factory)
    except Exception as error:
        raise IdentityRulesInvalid(f'identity plugin "{name}": {type(error).__name__}: {error}') from error
    if not callable(found):
        raise IdentityRulesInvalid(f'identity plugin "{name}": {factory} is a {type(found).__name__}, not a function')
    made: Callable[[], Any] = found
    return made


def load_plugin(name: str) -> IdentityProvider:
    """Imports `module:factory` and calls the factory, which takes nothing. Raises IdentityRulesInvalid."""
    factory = find_factory(name)
    try:
        made = factory()
    except Exception as error:
        raise IdentityRulesInvalid(f'identity plugin "{name}": {type(error).__name__}: {error}') from error
    missing = [method for method in _PORT if not callable(getattr(made, method, None))]
    if missing:
        raise IdentityRulesInvalid(
            f'identity plugin "{name}" made a {type(made).__name__} without {", ".join(missing)}'
        )
    provider: IdentityProvider = made
    return provider
