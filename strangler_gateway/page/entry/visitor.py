"""Who asks for a page."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from strangler_gateway.admin.auth import AdminAccess, Role
from strangler_gateway.admin.requests import HOLDER, AdminRefusal, caller
from strangler_gateway.page.entry.forms import is_secure
from strangler_gateway.page.entry.sessions import LoginSession, LoginSessions


@dataclass(frozen=True, slots=True)
class Visitor:
    """`session` None: nobody has to log in to read."""

    session: LoginSession | None

    @property
    def acts(self) -> bool:
        """Whether this one may move something."""
        return self.session is not None and self.session.holder.role is Role.OPERATOR

    @property
    def name(self) -> str:
        """For people."""
        return self.session.name if self.session is not None else ""

    @property
    def form_token(self) -> str:
        """For forms."""
        return self.session.form_token if self.session is not None else ""

    def notice(self) -> str:
        """What the last action has done, told once."""
        if self.session is None:
            return ""
        told, self.session.notice = self.session.notice, ""
        return told

    def who(self, request: Request) -> str:
        """For the journal."""
        request.scope[HOLDER] = self.session.holder if self.session is not None else None
        return caller(request, self.name)


class Visitors:
    """Finds the visitor of a request. Cookies are not separate by port, so their name contains it."""

    def __init__(self, access: AdminAccess, sessions: LoginSessions) -> None:
        self.access, self.sessions = access, sessions

    def of(self, request: Request, *, use: bool = True) -> Visitor | None:
        """None: has to log in. Raises AdminRefusal where that does not help."""
        session = self.sessions.find(self.key(request), use=use)
        if session is not None:
            return Visitor(session)
        denied = self.access.denies(Role.READER, "", request.headers.get("host", ""))
        if denied is None:
            return Visitor(None)
        if denied.status == 401:
            return None
        raise AdminRefusal(denied.status, "denied", denied.message)

    def is_allowed(self, request: Request) -> bool:
        """Whether an open stream may go on; it does not use the session."""
        try:
            return self.of(request, use=False) is not None
        except AdminRefusal:
            return False

    @property
    def can_log_in(self) -> bool:
        """Whether there is a credential at all."""
        return bool(self.access.operator or self.access.reader or self.access.named)

    def key(self, request: Request) -> str:
        """Of the session; empty if the browser has none."""
        return request.cookies.get(_cookie(request), "")

    def remember(self, request: Request, response: Response, key: str) -> None:
        """Gives the browser its key, until it is closed."""
        response.set_cookie(
            _cookie(request), key, path="/ui", secure=is_secure(request), httponly=True, samesite="strict"
        )

    def forget(self, request: Request, response: Response) -> None:
        """Ends the session on both sides."""
        self.sessions.close(self.key(request))
        response.delete_cookie(_cookie(request), path="/ui")


def _cookie(request: Request) -> str:
    server = request.scope.get("server")
    return f"strangler_{server[1] if server and server[1] else 0}"
