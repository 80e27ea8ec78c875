"""Who may: the token guard, then the policies of the caller's roles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.tokens import Subject, Tokens
from examples.monolith.http.refusals import forbidden, unauthorized
from examples.monolith.storage.tables import auth_role_policies, auth_subject_roles

SELF = "{{user.id}}"
"""In a policy's attributes: the caller's own user id. Our own sign; the contract names none."""
OWN = "@me"
"""In a path: the caller."""

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, and whose it is."""

    params: Mapping[str, str]
    body: Any
    user_id: str


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route demands; `of` tells the attributes of what is asked for."""

    action: str
    resource: str
    of: Callable[[Asked], Attributes] = lambda _asked: {}


@dataclass(frozen=True, slots=True)
class Access:
    """A route's guards, in order: a live token, then one of the permissions (none: any user)."""

    authenticated: bool = True
    permissions: tuple[Permission, ...] = ()


OPEN = Access(authenticated=False)
ANY_USER = Access()


def may(action: str, resource: str, of: Callable[[Asked], Attributes] = lambda _asked: {}) -> Access:
    return Access(permissions=(Permission(action, resource, of),))


def of_user(attribute: str) -> Callable[[Asked], Attributes]:
    """The user of the path, under the name that policies on the resource use; `@me` is the caller."""

    def attributes(asked: Asked) -> Attributes:
        wanted = asked.params["userId"]
        return {attribute: asked.user_id if wanted == OWN else wanted}

    return attributes


async def authenticate(connection: AsyncConnection, tokens: Tokens, authorization: str | None) -> Subject:
    """`<any scheme> <token>`: two parts or 401, a live token or 403."""
    parts = (authorization or "").split(" ")
    if len(parts) != 2 or not all(parts):
        raise unauthorized()
    subject = await tokens.find(connection, parts[1])
    if subject is None:
        raise forbidden()
    return subject


async def authorize(
    connection: AsyncConnection, subject: Subject, permissions: tuple[Permission, ...], asked: Asked
) -> None:
    """One of the permissions has to be covered by a policy of the caller's roles."""
    for permission in permissions:
        if await _permitted(connection, subject, permission, asked):
            return
    raise forbidden("Forbidden resource")


async def _permitted(connection: AsyncConnection, subject: Subject, permission: Permission, asked: Asked) -> bool:
    wanted = permission.of(asked)
    policies = await connection.scalars(
        select(auth_role_policies.c.attributes)
        .join(auth_subject_roles, auth_subject_roles.c.role_id == auth_role_policies.c.role_id)
        .where(auth_subject_roles.c.subject_id == subject.id)
        .where(auth_role_policies.c.resource == permission.resource)
        .where(auth_role_policies.c.action.in_(("manage", permission.action)))
    )
    return any(_covers(attributes, wanted, subject) for attributes in policies)


def _covers(attributes: Mapping[str, Any] | None, wanted: Attributes, subject: Subject) -> bool:
    """No attributes cover everything."""
    own = {SELF: subject.user_id}
    return all(wanted.get(name) == own.get(value, value) for name, value in (attributes or {}).items())
