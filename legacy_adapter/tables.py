"""The monolith's PostgreSQL tables as far as they are used here; never created or altered. On SQLite: text."""

from sqlalchemy import Column, DateTime, Enum, Integer, MetaData, String, Table, Text, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

metadata = MetaData()


class UuidText(TypeDecorator[str]):
    """A UUID as its 36 characters in Python, whatever the database makes of it."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        native = postgresql.UUID(as_uuid=False) if dialect.name == "postgresql" else String(36)
        return dialect.type_descriptor(native)


transactions = Table(
    "transactions",
    metadata,
    Column("id", UuidText),
    Column("user_id", UuidText),
    Column("Object_id", UuidText, key="item_id"),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
)
access_tokens = Table(
    "auth_oauth2_token",
    metadata,
    Column("hashed_token", String),
    Column("token_expire_at", DateTime(timezone=True)),
    Column("subject_id", UuidText),
)
subjects = Table("auth_subject", metadata, Column("id", UuidText), Column("internal_identifier", UuidText))
subject_roles = Table("auth_subject_roles", metadata, Column("subject_id", UuidText), Column("role_id", UuidText))
roles = Table("auth_role", metadata, Column("id", UuidText), Column("name", String))

users = Table(
    "user",
    metadata,
    Column("id", UuidText),
    Column("username", String(255)),
    Column("description", Text),
    Column("points", Integer),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
user_settings = Table(
    "user_settings",
    metadata,
    Column("id", UuidText),
    Column("user_id", UuidText),
    Column("preferred_editing_language", String(255), key="editing_language"),
    Column("preferred_language", Enum("en", "fr", name="enum_user_settings_preferred_language"), key="language"),
    Column("updated_at", DateTime(timezone=True)),
)
teams = Table(
    "team",
    metadata,
    Column("id", UuidText),
    Column("name", String(255)),
    Column("description", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
)
team_members = Table(
    "team_members",
    metadata,
    Column("team_id", UuidText),
    Column("user_id", UuidText),
    Column("role", String),
)
