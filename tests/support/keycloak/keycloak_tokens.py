"""Access tokens as Keycloak issues them, signed with a key of the test run."""

import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

REALM = "http://keycloak.test/realms/polycode"
CLIENT = "polycode"
LIFETIME_S = 600


class KeycloakKeys:
    """A realm's signing key. `jwks`: what the realm publishes."""

    def __init__(self, kid: str = "first") -> None:
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)
        self.kid = kid
        self.jwks = {"keys": [self.key.as_dict(private=False)]}

    def signed(self, claims: dict[str, Any], **header: Any) -> bytes:
        head = {"alg": "RS256", "typ": "JWT", "kid": self.kid} | header
        head = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(head, claims, self.key, algorithms=["RS256"]).encode()

    def token(self, user_id: str, session_id: str | None = None, **changes: Any) -> bytes:
        """`changes` replace claims; None removes one."""
        claims = claims_of(user_id, session_id) | changes
        return self.signed({name: value for name, value in claims.items() if value is not None})


def claims_of(user_id: str, session_id: str | None = None) -> dict[str, Any]:
    """Those of an access token that a log-in of now has brought."""
    now = int(time.time())
    return {
        "exp": now + LIFETIME_S,
        "iat": now,
        "jti": f"onrtro:{uuid.uuid4()}",
        "iss": REALM,
        "sub": str(uuid.uuid4()),
        "typ": "Bearer",
        "azp": CLIENT,
        "sid": session_id or str(uuid.uuid4()),
        "acr": "1",
        "scope": "profile",
        "preferred_username": user_id,
    }
