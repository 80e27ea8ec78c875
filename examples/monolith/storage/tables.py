"""The monolith's PostgreSQL tables with their own names and columns; SQLite uses the nearest types."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """Timezone-aware in Python; SQLite has no zones and stores UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class UuidText(TypeDecorator[str]):
    """A UUID as 36 lower-case characters; PostgreSQL's own type there, text on SQLite."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))


def _enum(name: str, *values: str) -> Enum:
    """PostgreSQL's own type there, unchecked text on SQLite."""
    return Enum(*values, name=f"enum_{name}", create_constraint=False)


RESOURCES = (
    "user",
    "user_email",
    "user_settings",
    "module",
    "content",
    "team",
    "team_member",
    "item",
    "transaction",
    "submission",
)
_GRANTS = ("authorization_code", "client_credentials", "refresh_token", "password", "implicit")


def _table(name: str, *columns: Column[Any], constraints: Iterable[UniqueConstraint] = ()) -> Table:
    stamps = [Column(stamp, UtcDateTime, nullable=False) for stamp in ("created_at", "updated_at")]
    return Table(name, metadata, Column("id", UuidText, primary_key=True), *columns, *stamps, *constraints)


def _reference(name: str, target: str, on_delete: str) -> Column[Any]:
    return Column(name, UuidText, ForeignKey(f"{target}.id", ondelete=on_delete, onupdate="CASCADE"))


users = _table(
    "user",
    Column("username", String(255), nullable=False, unique=True),
    Column("description", Text),
    Column("points", Integer, nullable=False, server_default=text("0")),
)
user_emails = _table(
    "user_emails",
    Column("email", String(255), nullable=False, unique=True),
    _reference("user_id", "user", "SET NULL"),
    Column("verification_token", String(255), unique=True),
    Column("is_verified", Boolean, nullable=False, server_default=false()),
)
user_settings = _table(
    "user_settings",
    _reference("user_id", "user", "SET NULL"),
    Column("preferred_editing_language", String(255)),
    Column("preferred_language", _enum("user_settings_preferred_language", "en", "fr"), server_default=text("'en'")),
)
teams = _table("team", Column("name", String(255), nullable=False, unique=True), Column("description", Text))
team_members = _table(
    "team_members",
    Column("role", _enum("team_members_role", "captain", "member"), nullable=False, server_default=text("'member'")),
    _reference("team_id", "team", "CASCADE"),
    _reference("user_id", "user", "CASCADE"),
    constraints=[UniqueConstraint("team_id", "user_id")],
)
transactions = _table(
    "transactions",
    _reference("user_id", "user", "CASCADE"),
    Column("Object_id", UuidText, key="object_id"),
    Column("deleted_at", UtcDateTime),
)

auth_roles = _table(
    "auth_role",
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(255), nullable=False),
)
auth_role_policies = _table(
    "auth_role_policies",
    Column(
        "action",
        _enum("auth_role_policies_action", "manage", "create", "read", "update", "delete"),
        nullable=False,
    ),
    Column("resource", _enum("auth_role_policies_resource", *RESOURCES), nullable=False),
    Column("attributes", JSON(none_as_null=True)),
    _reference("role_id", "auth_role", "CASCADE"),
)
auth_subjects = _table(
    "auth_subject",
    Column("internal_identifier", UuidText, nullable=False, unique=True),
    Column("type", _enum("auth_subject_type", "user"), nullable=False),
)
auth_subject_credentials = _table(
    "auth_subject_credentials",
    Column("type", _enum("auth_subject_credentials_type", "email_with_password"), nullable=False),
    Column("identity", String(255), nullable=False, unique=True),
    Column("secret", String(255), nullable=False),
    _reference("subject_id", "auth_subject", "SET NULL"),
)
auth_subject_roles = _table(
    "auth_subject_roles",
    _reference("subject_id", "auth_subject", "CASCADE"),
    _reference("role_id", "auth_role", "CASCADE"),
    constraints=[UniqueConstraint("subject_id", "role_id")],
)
auth_oauth2_clients = _table("auth_oauth2_client", Column("secret", Text))
auth_oauth2_client_grants = _table(
    "auth_oauth2_client_grants",
    Column("grant", _enum("auth_oauth2_client_grants_grant", *_GRANTS)),
    _reference("client_id", "auth_oauth2_client", "SET NULL"),
)
auth_oauth2_client_redirect_uris = _table(
    "auth_oauth2_client_redirect_uris",
    Column("uri", String(255)),
    _reference("client_id", "auth_oauth2_client", "SET NULL"),
    _reference("requested_client_id", "auth_oauth2_client", "SET NULL"),
)
auth_oauth2_tokens = _table(
    "auth_oauth2_token",
    Column("hashed_token", String(255), nullable=False),
    Column("token_expire_at", UtcDateTime, nullable=False),
    Column("type", _enum("auth_oauth2_token_type", "access_token", "refresh_token"), nullable=False),
    Column("grant_with", _enum("auth_oauth2_token_grant_with", *_GRANTS), nullable=False),
    _reference("requested_client_id", "auth_oauth2_client", "SET NULL"),
    _reference("subject_id", "auth_subject", "SET NULL"),
)


def collection(name: str) -> Table:
    """A MongoDB collection: one row per document, the whole document in `body`, rows in insertion order."""
    return Table(
        f"mongo_{name}",
        metadata,
        Column("_id", Text, primary_key=True),
        Column("id", Text, unique=True),
        Column("body", JSON, nullable=False),
    )


items = collection("items")
modules = collection("module")
contents = collection("content")
components = collection("component")
validators = collection("validator")
submissions = collection("submissions")
COLLECTIONS = (items, modules, contents, components, validators, submissions)
