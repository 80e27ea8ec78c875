"""From an entry of `identity:` in routes.yaml to the provider that it names, and what goes with it."""

from dataclasses import dataclass, field

from chassis.auth.claims import IdentityProvider
from strangler_gateway.identity.credential_exchange import CredentialExchange
from strangler_gateway.identity.grants import Grants
from strangler_gateway.identity.introspect import IntrospectProvider
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.plugin import load_plugin
from strangler_gateway.identity.rules import ExchangeOptions, IntrospectOptions, JwtOptions, options_of
from strangler_gateway.identity.signer import Signer
from strangler_gateway.table.routes import IdentityRules


@dataclass(eq=False, slots=True)
class IdentitySource:
    """One provider of the current table, and what rests on it."""

    rules: IdentityRules | None
    provider: IdentityProvider
    lasting: bool = False
    """What it said of a field section stays true until `expires_at`."""
    by_authorization: bool = False
    """It looks at no field but Authorization."""
    tokens: JwtProvider | None = None
    exchange: CredentialExchange | None = None
    """For `tokens`: gets the monolith's credential for one."""
    grants: Grants = field(default_factory=Grants)

    async def aclose(self) -> None:
        """Closes what was opened with it."""
        await self.provider.aclose()
        if self.exchange is not None:
            await self.exchange.aclose()


def open_source(rules: IdentityRules, signer: Signer) -> IdentitySource:
    """Whoever opens it closes it. Raises IdentityRulesInvalid."""
    if rules.kind == "plugin":
        return source_of(load_plugin(rules.plugin or ""), rules)
    if rules.kind == "introspect":
        return source_of(IntrospectProvider(options_of(IntrospectOptions, rules)), rules)
    options = options_of(JwtOptions, rules)
    tokens = JwtProvider(options)
    source = source_of(tokens, rules)
    if options.exchange is not None:
        source.tokens, source.exchange = tokens, CredentialExchange(ExchangeOptions(**options.exchange), signer)
    return source


def source_of(provider: IdentityProvider, rules: IdentityRules | None = None) -> IdentitySource:
    """A provider that is open, as a source. A plugin may say `lasting` and `by_authorization` of itself."""
    lasting, by_authorization = (getattr(provider, name, False) is True for name in ("lasting", "by_authorization"))
    return IdentitySource(rules, provider, lasting, by_authorization)
