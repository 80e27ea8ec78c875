"""The gateway's identity plugin for the monolith's access tokens: it checks signature and live row, and reads roles."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

from joserfc.jwk import OctKey
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import settings
from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityUnavailable
from chassis.auth.jwt import Checks, TokenRejected, verify
from chassis.database.database import Database
from chassis.store import StoreUnavailable
from chassis.ttl_cache import TtlCache
from legacy_adapter.live_tokens import LiveTokens, TokenQuestion

ALGORITHMS = ("HS256",)
MAX_TOKENS = 10_000


class Settings(settings.ServiceSettings):
    """The monolith's own variables, and its database. A secret NAME can also be read from NAME_FILE."""

    model_config = SettingsConfigDict(env_prefix="")

    auth_jwt_secret: SecretStr = Field(min_length=1)
    """The secret that the monolith signs its tokens with."""
    auth_jwt_issuer: str = "https://auth.app"
    """The `iss` of these tokens."""
    auth_jwt_audience: str = "https://api.app"
    """Their `aud`."""
    legacy_database_url: SecretStr
    """The monolith's database: sqlite:///PATH or postgresql://…"""


class MonolithIdentity:
    """An identity provider (chassis.auth.claims). It does not cache what `confirm` grants; the caller may."""

    def __init__(
        self,
        secret: str,
        issuer: str,
        audience: str,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        size: int = MAX_TOKENS,
    ) -> None:
        self._key = OctKey.import_key(secret)
        self._checks = Checks(ALGORITHMS, issuer, audience)
        self._database = database
        self._clock = clock
        self._verified: TtlCache[bytes, Identity] = TtlCache(size)
        self._live = LiveTokens(database, size)

    def identify(self, fields: Fields) -> Identity:
        """Checks signature, issuer, audience and expiry; it verifies each valid token once."""
        token = _token(fields)
        if token is None:
            return NOBODY
        digest = hashlib.sha256(token).digest()
        now = self._clock()
        identity = self._verified.get(digest, now)
        if identity is None:
            identity = self._verify(token, digest, now)
            if identity.expires_at is not None:
                self._verified.put(digest, identity, identity.expires_at)
        return identity

    async def confirm(self, identity: Identity, fields: Fields) -> Identity:
        """Checks the token's row and reads the current roles. Raises IdentityUnavailable."""
        if identity.outcome is not AuthenticationOutcome.USER or identity.subject is None:
            return identity
        try:
            token = await self._live.find(TokenQuestion(identity.credential.hex(), identity.subject, self._clock()))
        except StoreUnavailable as error:
            raise IdentityUnavailable(f"the monolith's database: {error}") from error
        if token is None:
            return Identity(AuthenticationOutcome.REJECTED, credential=identity.credential)
        return replace(identity, roles=token.roles, expires_at=token.expires_at)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._database.aclose()

    def _verify(self, token: bytes, digest: bytes, now: float) -> Identity:
        try:
            claims = verify(token, self._key, self._checks, now)
        except TokenRejected:
            return Identity(AuthenticationOutcome.REJECTED, credential=digest)
        user_id = claims.get("internalIdentifier")
        if not isinstance(user_id, str) or not user_id:
            return Identity(AuthenticationOutcome.REJECTED, credential=digest)
        return Identity(AuthenticationOutcome.USER, user_id, expires_at=float(claims["exp"]), credential=digest)


def from_environment() -> MonolithIdentity:
    """Called for `identity: {plugin: "legacy_adapter.identity:from_environment"}`. Raises SettingsInvalid."""
    loaded = settings.load(Settings)
    return MonolithIdentity(
        loaded.auth_jwt_secret.get_secret_value(),
        loaded.auth_jwt_issuer,
        loaded.auth_jwt_audience,
        Database(loaded.legacy_database_url.get_secret_value()),
    )


def _token(fields: Fields) -> bytes | None:
    """The token of `<any scheme> <token>`. As in Node, only the first Authorization line counts. None: no token."""
    for name, value in fields:
        if len(name) == 13 and name.lower() == b"authorization":
            parts = value.split(b" ")
            return parts[1] if len(parts) == 2 and all(parts) else None
    return None
