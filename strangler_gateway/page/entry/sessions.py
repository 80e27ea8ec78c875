"""Who is logged in: a bounded table in memory. A restart logs everybody out."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from strangler_gateway.admin.auth import Holder, Role

MAX_SESSIONS = 500
IDLE_S = {Role.OPERATOR: 30 * 60.0, Role.READER: 12 * 3600.0}
"""A session that is not used for so long has ended; a page that only updates itself does not use it."""
LONGEST_S = 12 * 3600.0


@dataclass(slots=True)
class LoginSession:
    """One browser. Times are of the clock of `LoginSessions`."""

    holder: Holder
    name: str
    """For people and the journal."""
    began: float
    used: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """Forms that change something contain it."""
    notice: str = ""
    """What the next page says once."""


class LoginSessions:
    """By random keys, which only the browsers have. The one that was not used for longest makes room for a new one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_key: OrderedDict[str, LoginSession] = OrderedDict()

    def open(self, holder: Holder, name: str) -> str:
        """The key of a new session. `name`: what somebody calls himself, unless the credential says it."""
        key, now = secrets.token_urlsafe(32), self._clock()
        self._by_key[key] = LoginSession(holder, holder.name if holder.named else name or holder.name, now, now)
        while len(self._by_key) > MAX_SESSIONS:
            self._by_key.popitem(last=False)
        return key

    def find(self, key: str, *, use: bool = True) -> LoginSession | None:
        """None: there is none, or it has ended. `use` False: somebody only looks whether it goes on."""
        session = self._by_key.get(key)
        if session is None:
            return None
        now = self._clock()
        if now - session.used > IDLE_S[session.holder.role] or now - session.began > LONGEST_S:
            del self._by_key[key]
            return None
        if use:
            session.used = now
            self._by_key.move_to_end(key)
        return session

    def close(self, key: str) -> None:
        """Logs out."""
        self._by_key.pop(key, None)
