"""An identity server in memory that answers as Keycloak does, and fails on demand."""

import uuid
from dataclasses import dataclass, field

from chassis.auth.claims import IdentityUnavailable
from extracted.account.sign_in.domain import ServerTokens
from tests.support.keycloak.keycloak_tokens import KeycloakKeys


@dataclass
class ScriptedUser:
    """Keycloak locks a user after failures of others, too; an administrator disables."""

    password: str = field(repr=False)
    is_locked: bool = False
    is_disabled: bool = False


@dataclass
class ScriptedKeycloak:
    """Implements the ports IdentityServer and Activity. `calls`: what it was asked, in order, without passwords."""

    keys: KeycloakKeys
    users: dict[str, ScriptedUser] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict, repr=False)
    calls: list[str] = field(default_factory=list)
    is_away: bool = False
    issues: dict[str, object] = field(default_factory=dict)
    """Claims of the tokens that it issues, if they are not as usual."""

    async def log_in(self, user_id: str, secret: str) -> ServerTokens | None:
        self._asked("log_in")
        user = self.users.get(user_id)
        if user is None or user.is_locked or user.is_disabled or user.password != secret:
            return None
        session_id = str(uuid.uuid4())
        self.sessions[session_id] = user_id
        return self._tokens(session_id)

    async def put_user(self, user_id: str, secret: str) -> bool:
        self._asked("put_user")
        user = self.users.setdefault(user_id, ScriptedUser(secret))
        if user.is_disabled:
            return False
        user.password, user.is_locked = secret, False
        return True

    async def refresh(self, refresh_token: str) -> ServerTokens | None:
        self._asked("refresh")
        session_id = self.refresh_tokens.pop(refresh_token, None)
        return self._tokens(session_id) if session_id in self.sessions else None

    async def end_session(self, session_id: str) -> None:
        self._asked("end_session")
        self.sessions.pop(session_id, None)

    async def is_active(self, token: bytes, digest: str) -> bool:
        return True

    def _tokens(self, session_id: str) -> ServerTokens:
        refresh_token = str(uuid.uuid4())
        self.refresh_tokens[refresh_token] = session_id
        token = self.keys.token(self.sessions[session_id], session_id, jti=refresh_token, **self.issues)
        return ServerTokens(token.decode(), refresh_token)

    def _asked(self, call: str) -> None:
        if self.is_away:
            raise IdentityUnavailable("the identity server is away")
        self.calls.append(call)
