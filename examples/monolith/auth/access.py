"""Who may do what: a valid token first, then a policy of one of the caller's roles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.tokens import Subject, Tokens
from examples.monolith.http.errors import forbidden, unauthorized
from examples.monolith.storage.tables import auth_role_policies, auth_subject_roles

SELF = "{{user.id}}"
"""In a policy's attributes: the caller's own user id. We chose the sign; the contract names none."""
OWN = "@me"
"""In a path: the caller."""

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What a permission is checked against: the path, the body and the caller."""

    params: Mapping[str, str]
    body: Any
    user_id: str


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route demands. `of` gives the attributes of the resource that is asked for."""

    action: str
    resource: str
    of: Callable[[PermissionRequest], Attributes] = lambda _request: {}


@dataclass(frozen=True, slots=True)
class Guards:
    """What a caller must have: a live token, then one of the permissions. No permissions: any user."""

    authenticated: bool = True
    permissions: tuple[Permission, ...] = ()


OPEN = Guards(authenticated=False)
ANY_USER = Guards()


def may(action: str, resource: str, of: Callable[[PermissionRequest], Attributes] = lambda _request: {}) -> Guards:
    return Guards(permissions=(Permission(action, resource, of),))


def of_user(attribute: str) -> Callable[[PermissionRequest], Attributes]:
    """The user of the path, under the name that policies on the resource use; `@me` is the caller."""

    def attributes(request: PermissionRequest) -> Attributes:
        wanted = request.params["userId"]
        return {attribute: request.user_id if wanted == OWN else wanted}

    return attributes


async def authenticate(connection: AsyncConnection, tokens: Tokens, authorization: str | None) -> Subject:
    """Reads `<any scheme> <token>`: 401 without two parts, 403 without a live token."""
    parts = (authorization or "").split(" ")
    if len(parts) != 2 or not all(parts):
        raise unauthorized()
    subject = await tokens.find(connection, parts[1])
    if subject is None:
        raise forbidden()
    return subject


async def authorize(
    connection: AsyncConnection, subject: Subject, permissions: tuple[Permission, ...], request: PermissionRequest
) -> None:
    """Raises HttpError unless a policy of the caller's roles covers one of the permissions."""
    for permission in permissions:
        if await _permitted(connection, subject, permission, request):
            return
    raise forbidden("Forbidden resource")


async def _permitted(
    connection: AsyncConnection, subject: Subject, permission: Permission, request: PermissionRequest
) -> bool:
    wanted = permission.of(request)
    policies = await connection.scalars(
        select(auth_role_policies.c.attributes)
        .join(auth_subject_roles, auth_subject_roles.c.role_id == auth_role_policies.c.role_id)
        .where(auth_subject_roles.c.subject_id == subject.id)
        .where(auth_role_policies.c.resource == permission.resource)
        .where(auth_role_policies.c.action.in_(("manage", permission.action)))
    )
    return any(_covers(attributes, wanted, subject) for attributes in policies)


def _covers(attributes: Mapping[str, Any] | None, wanted: Attributes, subject: Subject) -> bool:
    """A policy without attributes covers everything."""
    own = {SELF: subject.user_id}
    return all(wanted.get(name) == own.get(value, value) for name, value in (attributes or {}).items())
