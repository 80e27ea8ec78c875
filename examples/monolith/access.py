"""Who may: the token guard, then the policies of the caller's roles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.refusals import forbidden, unauthorized
from examples.monolith.tables import auth_role_policies, auth_subject_roles
from examples.monolith.tokens import Subject, Tokens

SELF = "{{user.id}}"
"""In a policy's attributes: the caller's own user id."""

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route demands; `of` tells the attributes of what is asked for from path parameters and caller's id."""

    action: str
    resource: str
    of: Callable[[Mapping[str, str], str], Attributes] = lambda _params, _user_id: {}


@dataclass(frozen=True, slots=True)
class Access:
    """A route's guards, in order: a live token, then a permission."""

    authenticated: bool = True
    permission: Permission | None = None


OPEN = Access(authenticated=False)
ANY_USER = Access()


def may(action: str, resource: str) -> Access:
    return Access(permission=Permission(action, resource))


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
    connection: AsyncConnection, subject: Subject, permission: Permission, params: Mapping[str, str]
) -> None:
    wanted = permission.of(params, subject.user_id)
    policies = await connection.execute(
        select(auth_role_policies)
        .join(auth_subject_roles, auth_subject_roles.c.role_id == auth_role_policies.c.role_id)
        .where(auth_subject_roles.c.subject_id == subject.id)
        .where(auth_role_policies.c.resource == permission.resource)
        .where(auth_role_policies.c.action.in_(("manage", permission.action)))
    )
    if not any(_covers(policy.attributes, wanted, subject) for policy in policies):
        raise forbidden("Forbidden resource")


def _covers(attributes: Mapping[str, Any] | None, wanted: Attributes, subject: Subject) -> bool:
    """No attributes cover everything."""
    own = {SELF: subject.user_id}
    return all(wanted.get(name) == own.get(value, value) for name, value in (attributes or {}).items())
