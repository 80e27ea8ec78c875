"""Settings of services that prove to each other who they are by tokens of Keycloak (client credentials)."""

from typing import Protocol, Self

from pydantic import Field, SecretStr, model_validator

from chassis.auth.credentials import AnyCaller, CallerCheck, SharedTokens
from chassis.auth.service_credentials import ClientCredentials, OAuthClient, ServiceCredential, SharedToken
from chassis.settings import ServiceSettings, revealed

_PROTOCOL = "protocol/openid-connect"


class TokenCheck(CallerCheck, Protocol):
    """Knows callers by tokens of Keycloak."""

    async def aclose(self) -> None:
        """Closes the connection to Keycloak."""
        ...


class KeycloakSettings(ServiceSettings):
    """Where the realm is. Such a class stands first among a subclass's bases: the last one's prefix counts."""

    keycloak_url: str | None = Field(None, pattern=r"^https?://[^/\s]+\S*$")
    """Where Keycloak is. Without it, the services share a token."""
    keycloak_realm: str = Field("polycode", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The realm's name."""
    keycloak_issuer: str | None = None
    """The `iss` of its tokens, if Keycloak has another address there. None: KEYCLOAK_URL/realms/REALM."""

    @property
    def realm_url(self) -> str:
        """Without a slash at its end."""
        return f"{(self.keycloak_url or '').rstrip('/')}/realms/{self.keycloak_realm}"


class CallingSettings(KeycloakSettings):
    """Of a service that calls another one. A subclass sets the client's name."""

    service_client_id: str
    """This service's client in Keycloak."""
    service_client_secret: SecretStr | None = Field(None, min_length=16)
    """Its secret. With it, the service calls others with tokens of Keycloak, and the shared token is not used."""

    @model_validator(mode="after")
    def _secret_has_a_place(self) -> Self:
        if self.service_client_secret is not None and self.keycloak_url is None:
            prefix = self.model_config.get("env_prefix", "")
            raise ValueError(f"{prefix}SERVICE_CLIENT_SECRET needs {prefix}KEYCLOAK_URL")
        return self

    def proves_itself(self, shared: SecretStr | None) -> bool:
        """Whether there is a credential at all."""
        return self.service_client_secret is not None or shared is not None

    def credential(self, shared: SecretStr | None) -> ServiceCredential:
        """What it sends to the other service; `shared`: the token in the settings of both."""
        secret = revealed(self.service_client_secret)
        if secret is not None:
            return ClientCredentials(OAuthClient(f"{self.realm_url}/{_PROTOCOL}/token", self.service_client_id, secret))
        return SharedToken(revealed(shared) or "")


class CalledSettings(KeycloakSettings):
    """Of a service that others call. A subclass sets the defaults of the first two."""

    service_audience: str
    """The `aud` that a token of Keycloak must have: this service's client."""
    service_callers: str
    """The clients that may call this service, with commas between."""

    def client_tokens(self) -> TokenCheck | None:
        """None: the settings name no Keycloak."""
        if self.keycloak_url is None:
            return None
        # 10 MB with their library for signatures: only a service with Keycloak pays for it.
        from chassis.auth.client_tokens import ClientTokens
        from chassis.auth.jwks import RemoteKeys

        return ClientTokens(
            RemoteKeys(f"{self.realm_url}/{_PROTOCOL}/certs"),
            issuer=self.keycloak_issuer or self.realm_url,
            audience=self.service_audience,
            callers=tuple(name.strip() for name in self.service_callers.split(",")),
        )


def callers(shared: SecretStr | None, tokens: TokenCheck | None) -> CallerCheck | None:
    """Who may call: bearers of the shared token, clients of Keycloak, or both, to change over. None: nobody."""
    checks: list[CallerCheck] = []
    if shared is not None:
        checks.append(SharedTokens(shared.get_secret_value()))
    if tokens is not None:
        checks.append(tokens)
    return AnyCaller(*checks) if checks else None
