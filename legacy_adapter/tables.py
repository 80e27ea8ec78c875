"""The monolith's PostgreSQL tables, as far as they are used here. They are never created or altered."""

from sqlalchemy import JSON, Boolean, Column, DateTime, Enum, Integer, MetaData, String, Table, Text, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

metadata = MetaData()

_ACTIONS = ("manage", "create", "read", "update", "delete")
_RESOURCES = (
    "user", "user_email", "user_settings", "module", "content", "team", "team_member", "item", "transaction",
    "submission",
)  # fmt: skip
_GRANTS = ("authorization_code", "client_credentials", "refresh_token", "password", "implicit")


class MonolithUuid(TypeDecorator[str]):
    """A UUID as 36 characters in Python; a text on SQLite."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        native = postgresql.UUID(as_uuid=False) if dialect.name == "postgresql" else String(36)
        return dialect.type_descriptor(native)


transactions = Table(
    "transactions",
    metadata,
    Column("id", MonolithUuid),
    Column("user_id", MonolithUuid),
    Column("Object_id", MonolithUuid, key="item_id"),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
)
access_tokens = Table(
    "auth_oauth2_token",
    metadata,
    Column("id", MonolithUuid),
    Column("hashed_token", String),
    Column("token_expire_at", DateTime(timezone=True)),
    Column("type", Enum("access_token", "refresh_token", name="enum_auth_oauth2_token_type")),
    Column("grant_with", Enum(*_GRANTS, name="enum_auth_oauth2_token_grant_with")),
    Column("subject_id", MonolithUuid),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
subjects = Table(
    "auth_subject",
    metadata,
    Column("id", MonolithUuid),
    Column("internal_identifier", MonolithUuid),
    Column("type", Enum("user", name="enum_auth_subject_type")),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
credentials = Table(
    "auth_subject_credentials",
    metadata,
    Column("id", MonolithUuid),
    Column("type", Enum("email_with_password", name="enum_auth_subject_credentials_type")),
    Column("identity", String(255)),
    Column("secret", String(255)),
    Column("subject_id", MonolithUuid),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
subject_roles = Table(
    "auth_subject_roles",
    metadata,
    Column("id", MonolithUuid),
    Column("subject_id", MonolithUuid),
    Column("role_id", MonolithUuid),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
roles = Table(
    "auth_role",
    metadata,
    Column("id", MonolithUuid),
    Column("name", String(255)),
    Column("description", String(255)),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
role_policies = Table(
    "auth_role_policies",
    metadata,
    Column("id", MonolithUuid),
    Column("action", Enum(*_ACTIONS, name="enum_auth_role_policies_action")),
    Column("resource", Enum(*_RESOURCES, name="enum_auth_role_policies_resource")),
    Column("attributes", JSON(none_as_null=True)),
    Column("role_id", MonolithUuid),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)

users = Table(
    "user",
    metadata,
    Column("id", MonolithUuid),
    Column("username", String(255)),
    Column("description", Text),
    Column("points", Integer),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
user_emails = Table(
    "user_emails",
    metadata,
    Column("id", MonolithUuid),
    Column("email", String(255)),
    Column("user_id", MonolithUuid),
    Column("verification_token", String(255)),
    Column("is_verified", Boolean),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
user_settings = Table(
    "user_settings",
    metadata,
    Column("id", MonolithUuid),
    Column("user_id", MonolithUuid),
    Column("preferred_editing_language", String(255), key="editing_language"),
    Column("preferred_language", Enum("en", "fr", name="enum_user_settings_preferred_language"), key="language"),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
teams = Table(
    "team",
    metadata,
    Column("id", MonolithUuid),
    Column("name", String(255)),
    Column("description", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
team_members = Table(
    "team_members",
    metadata,
    Column("id", MonolithUuid),
    Column("role", Enum("captain", "member", name="enum_team_members_role")),
    Column("team_id", MonolithUuid),
    Column("user_id", MonolithUuid),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
