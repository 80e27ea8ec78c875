"""Databases of the monolith, filled row by row by the test that needs it: tables and forms are the stand-in's."""

import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bcrypt
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import Table, create_engine, delete, insert, select, update

from examples.monolith.storage import tables
from tests.support.monolith.monolith_items import ServerItems, TableItems
from tests.support.stores import SECRET, Stores

__all__ = ["AUDIENCE", "ISSUER", "SECRET", "MonolithData", "MonolithFile", "claims_of", "sign"]
ISSUER, AUDIENCE = "https://auth.app", "https://api.app"
LIFETIME = timedelta(days=3)


class MonolithData:
    """The monolith's tables and items, wherever they are. Every `add` returns the public id."""

    def __init__(self, stores: Stores) -> None:
        self.url = stores.database_url
        self.documents_url = stores.documents_url
        self._engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://", 1))
        self._items = ServerItems(stores.documents_url) if stores.documents_url else TableItems(self._engine)
        elsewhere = tables.COLLECTIONS if stores.documents_url else ()
        own = [table for table in tables.metadata.sorted_tables if table not in elsewhere]
        tables.metadata.create_all(self._engine, tables=own)
        self._tables = own

    def copy(self, stores: Stores) -> "MonolithData":
        """The same rows in other stores, in the same order; documents of a server are not among them."""
        other = MonolithData(stores)
        with self._engine.connect() as source, other._engine.begin() as target:
            for table in self._tables:
                rows = [{c.key: row._mapping[c] for c in table.c} for row in source.execute(select(table))]
                if rows:
                    target.execute(insert(table), rows)
        return other

    def close(self) -> None:
        self._items.close()
        self._engine.dispose()

    def add_item(self, item_id: str | None = None, **fields: Any) -> str:
        item_id = item_id or str(uuid.uuid4())
        item = {"cost": 10, "type": "hint", "data": {"text": "a hint"}} | fields
        self._items.insert({"_id": {"$oid": secrets.token_hex(12)}, **item, "id": item_id, "__v": 0})
        return item_id

    def change_item(self, item_id: str, **fields: Any) -> None:
        self._items.set(item_id, fields)

    def break_item(self, item_id: str) -> None:
        """Leaves a document that the monolith would never write."""
        self._items.replace(item_id, {"id": item_id})

    def item(self, item_id: str) -> dict[str, Any] | None:
        """The whole document."""
        return self._items.find(item_id)

    def documents(self, collection: str) -> list[dict[str, Any]]:
        """All of them whole, in the order of insertion; ObjectIds as {"$oid": …}."""
        return self._items.all(collection)

    def remove_item(self, item_id: str) -> None:
        self._items.remove(item_id)

    def add_user(self, *roles: str, user_id: str | None = None, **fields: Any) -> str:
        user_id = user_id or str(uuid.uuid4())
        self._row(tables.users, **({"id": user_id, "username": f"u-{user_id}"} | fields))
        subject_id = self._row(tables.auth_subjects, internal_identifier=user_id, type="user")
        for name in roles:
            self._row(tables.auth_subject_roles, subject_id=subject_id, role_id=self._role(name))
        return user_id

    def add_settings(
        self, user_id: str, editing_language: str | None = "javascript", language: str | None = "en"
    ) -> str:
        languages = {"preferred_editing_language": editing_language, "preferred_language": language}
        return self._row(tables.user_settings, user_id=user_id, **languages)

    def add_email(self, user_id: str, email: str, **fields: Any) -> str:
        """Not verified, unless `fields` say so."""
        return self._row(tables.user_emails, **({"user_id": user_id, "email": email, "is_verified": False} | fields))

    def add_team(self, name: str, captain: str, *members: str, **fields: Any) -> str:
        """Ids of users. Captain and members get no roles."""
        team_id = self._row(tables.teams, **({"name": name} | fields))
        self._row(tables.team_members, team_id=team_id, user_id=captain, role="captain")
        for user_id in members:
            self.add_member(team_id, user_id)
        return team_id

    def add_member(self, team_id: str, user_id: str) -> str:
        return self._row(tables.team_members, team_id=team_id, user_id=user_id, role="member")

    def change(self, table: Table, row_id: str, **values: Any) -> None:
        """And the time of change, as the monolith does."""
        self._run(update(table).where(table.c.id == row_id).values(updated_at=datetime.now(UTC), **values))

    def delete(self, table: Table, row_id: str) -> None:
        self._run(delete(table).where(table.c.id == row_id))

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All of them, in the order of their ids."""
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(select(table).order_by(table.c.id))]

    def add_points(self, user_id: str, points: int) -> None:
        """By one statement, so nobody's points are lost."""
        users = tables.users
        self._run(update(users).where(users.c.id == user_id).values(points=users.c.points + points))

    def add_role(self, name: str, role_id: str) -> None:
        """Some have ids of their own, as code knows them."""
        self._row(tables.auth_roles, id=role_id, name=name, description=name)

    def give_role(self, user_id: str, name: str) -> None:
        self._row(tables.auth_subject_roles, subject_id=self.subject_of(user_id), role_id=self._role(name))

    def delete_user(self, user_id: str) -> None:
        """As the monolith does: subject, roles and tokens stay (fault F12)."""
        self.delete(tables.users, user_id)

    def add_purchase(self, user_id: str, item_id: str, deleted_at: datetime | None = None, **fields: Any) -> str:
        return self._row(tables.transactions, user_id=user_id, object_id=item_id, deleted_at=deleted_at, **fields)

    def subject_of(self, user_id: str) -> str:
        with self._engine.connect() as connection:
            subject = tables.auth_subjects.c
            return str(connection.scalar(select(subject.id).where(subject.internal_identifier == user_id)))

    def add_login(self, user_id: str, identity: str, password: str, rounds: int = 4) -> str:
        """`rounds`: of bcrypt; the monolith has 10."""
        secret = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(rounds)).decode()
        values = {"type": "email_with_password", "identity": identity, "secret": secret}
        return self._row(tables.auth_subject_credentials, subject_id=self.subject_of(user_id), **values)

    def login(self, user_id: str, *, expires_at: datetime | None = None, **claims: Any) -> str:
        """A token with its row; `claims` replace the monolith's own."""
        token = sign(claims_of(user_id) | {"subject": self.subject_of(user_id)} | claims)
        self.add_token_row(token, user_id, expires_at or datetime.now(UTC) + LIFETIME)
        return token

    def add_token_row(self, token: str, user_id: str, expires_at: datetime) -> None:
        self._row(
            tables.auth_oauth2_tokens,
            hashed_token=hashlib.sha256(token.encode()).hexdigest(),
            token_expire_at=expires_at,
            type="access_token",
            grant_with="implicit",
            subject_id=self.subject_of(user_id),
        )

    def expire(self, token: str) -> None:
        row = tables.auth_oauth2_tokens
        digest = hashlib.sha256(token.encode()).hexdigest()
        past = datetime.now(UTC) - timedelta(milliseconds=1)
        self._run(update(row).where(row.c.hashed_token == digest).values(token_expire_at=past))

    def _role(self, name: str) -> str:
        with self._engine.connect() as connection:
            known = connection.scalar(select(tables.auth_roles.c.id).where(tables.auth_roles.c.name == name))
        return str(known) if known else self._row(tables.auth_roles, name=name, description=name)

    def _row(self, table: Table, **values: Any) -> str:
        now = datetime.now(UTC)
        row = {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now} | values
        self._run(insert(table).values(row))
        return str(row["id"])

    def _run(self, statement: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)


class MonolithFile(MonolithData):
    """On one SQLite file."""

    def __init__(self, path: Path) -> None:
        super().__init__(Stores(f"sqlite:///{path}"))
        self.path = path


def claims_of(user_id: str) -> dict[str, Any]:
    """As the monolith writes them, but for `subject`."""
    now = int(datetime.now(UTC).timestamp())
    names = {"subjectType": "user", "internalIdentifier": user_id, "type": "access_token"}
    return names | {"iat": now, "exp": now + 259_200_000, "aud": AUDIENCE, "iss": ISSUER, "jti": secrets.token_hex(4)}


def sign(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    header = {"alg": algorithm, "typ": "JWT"}
    return jwt.encode(header, claims, OctKey.import_key(secret), algorithms=[algorithm])
