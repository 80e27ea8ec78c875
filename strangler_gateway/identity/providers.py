"""From `identity:` in routes.yaml to the provider that it names."""

from chassis.auth.claims import IdentityProvider
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.plugin import load_plugin
from strangler_gateway.identity.rules import IntrospectOptions, JwtOptions, options_of
from strangler_gateway.table.routes import IdentityRules


def open_provider(rules: IdentityRules) -> IdentityProvider | None:
    """The provider, None for `none`; whoever opens it closes it. Raises IdentityRulesInvalid."""
    if rules.kind == "jwt":
        return JwtProvider(options_of(JwtOptions, rules))
    if rules.kind == "introspect":
        from strangler_gateway.identity.introspect import IntrospectProvider  # an HTTP client, so megabytes

        return IntrospectProvider(options_of(IntrospectOptions, rules))
    if rules.kind == "plugin":
        return load_plugin(rules.plugin or "")
    return None
