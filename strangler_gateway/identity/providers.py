"""From `identity:` in routes.yaml to the provider that it names."""

from importlib import import_module

from chassis.auth.claims import IdentityProvider
from strangler_gateway.identity.introspect import IntrospectProvider
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.rules import IdentityRulesInvalid, IntrospectOptions, JwtOptions, options_of
from strangler_gateway.table.routes import IdentityRules

_PORT = ("identify", "confirm", "aclose")


def open_provider(rules: IdentityRules) -> IdentityProvider | None:
    """The provider, None for `none`; whoever opens it closes it. Raises IdentityRulesInvalid."""
    if rules.kind == "jwt":
        return JwtProvider(options_of(JwtOptions, rules))
    if rules.kind == "introspect":
        return IntrospectProvider(options_of(IntrospectOptions, rules))
    if rules.kind == "plugin":
        return load_plugin(rules.plugin or "")
    return None


def load_plugin(name: str) -> IdentityProvider:
    """Imports `module:factory` and calls the factory, which takes nothing. Raises IdentityRulesInvalid."""
    module, _, factory = name.partition(":")
    if not module or not factory:
        raise IdentityRulesInvalid(f'identity plugin "{name}": wanted "module:factory"')
    try:
        made = getattr(import_module(module), factory)()
    except Exception as error:
        raise IdentityRulesInvalid(f'identity plugin "{name}": {type(error).__name__}: {error}') from error
    missing = [method for method in _PORT if not callable(getattr(made, method, None))]
    if missing:
        raise IdentityRulesInvalid(
            f'identity plugin "{name}" made a {type(made).__name__} without {", ".join(missing)}'
        )
    provider: IdentityProvider = made
    return provider
