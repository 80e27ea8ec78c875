"""Reads the databases of a purchasing system in one snapshot, with its own SQL and no code of the services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, create_engine, text

from tests.support.stores import Stores

Row = Mapping[str, Any]
SERVICES = ("account", "shop", "learning")
REWARD = "reward"


@dataclass(frozen=True, slots=True)
class Books:
    """Rows by id, with ids as text. `ledger`: purchase → kind → amount. `unpublished`: service and message id.

    `rewards`: Learning's rows. `paid`: reward → points, by Account's ledger.
    """

    purchases: Mapping[str, Row]
    requests: Mapping[str, Row]
    ledger: Mapping[str, Mapping[str, int]]
    decisions: Mapping[str, Row]
    stock: Mapping[str, Row]
    points: Mapping[str, int]
    transactions: Mapping[str, Row]
    unpublished: Sequence[str]
    parked: Sequence[Row]
    rewards: Mapping[str, Row] = field(default_factory=dict)
    paid: Mapping[str, int] = field(default_factory=dict)


class Reader:
    """Reads one system's databases; must be closed."""

    def __init__(self, stores: Stores) -> None:
        url = stores.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        self._own = "_" if url.startswith("sqlite") else "."
        isolation = {} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
        self._engine = create_engine(url, **isolation)

    def close(self) -> None:
        self._engine.dispose()

    def read(self) -> Books:
        """One snapshot of both services and the monolith."""
        with self._engine.connect() as connection:
            connection.execute(text("BEGIN" if self._own == "_" else "SELECT 1"))
            ledger = self._rows(connection, "account", "ledger")
            return Books(
                purchases=_by("id", self._rows(connection, "account", "purchases")),
                requests=_by("id", self._rows(connection, "account", "purchase_requests")),
                ledger=_ledger([row for row in ledger if row["kind"] != REWARD]),
                decisions=_by("purchase_id", self._rows(connection, "shop", "decisions")),
                stock=_by("item_id", self._rows(connection, "shop", "stock")),
                points={row["id"]: row["points"] for row in _read(connection, 'SELECT id, points FROM "user"')},
                transactions=_by("id", _read(connection, "SELECT * FROM transactions")),
                unpublished=[row for service in SERVICES for row in self._unpublished(connection, service)],
                parked=[row for service in SERVICES for row in self._rows(connection, service, "parked")],
                rewards=_by("id", self._rows(connection, "learning", "rewards")),
                paid={row["purchase_id"]: row["delta"] for row in ledger if row["kind"] == REWARD},
            )

    def _rows(self, connection: Connection, service: str, table: str) -> list[Row]:
        return _read(connection, f"SELECT * FROM {service}{self._own}{table}")

    def _unpublished(self, connection: Connection, service: str) -> list[str]:
        waiting = f"SELECT message_id FROM {service}{self._own}outbox WHERE published_at IS NULL"
        return [f"{service} {row['message_id']}" for row in _read(connection, waiting)]


def _read(connection: Connection, statement: str) -> list[Row]:
    found = connection.execute(text(statement)).mappings()
    return [{name: _plain(name, value) for name, value in row.items()} for row in found]


def _plain(name: str, value: object) -> object:
    """PostgreSQL's UUIDs as text, as in SQLite."""
    return str(value) if value is not None and (name == "id" or name.lower().endswith("_id")) else value


def _by(key: str, rows: Sequence[Row]) -> dict[str, Row]:
    return {row[key]: row for row in rows}


def _ledger(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    ledger: dict[str, dict[str, int]] = {}
    for row in rows:
        ledger.setdefault(row["purchase_id"], {})[row["kind"]] = row["delta"]
    return ledger
