"""The tables of the SQLite broker, and how its file is opened."""

import sqlite3
import time
from pathlib import Path

VERSION = 1
_SCHEMA = """
CREATE TABLE queue (
    name TEXT PRIMARY KEY,
    max_length INTEGER NOT NULL,
    delivery_limit INTEGER,      -- none: dead letters and replies
    length INTEGER NOT NULL DEFAULT 0 CHECK (length >= 0),
    alive_until REAL             -- of the owner of an exclusive queue
) WITHOUT ROWID;
CREATE TABLE binding (
    exchange TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    queue TEXT NOT NULL REFERENCES queue ON DELETE CASCADE,
    PRIMARY KEY (exchange, routing_key, queue)
) WITHOUT ROWID;
CREATE INDEX binding_queue ON binding (queue);
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order within a queue
    queue TEXT NOT NULL REFERENCES queue ON DELETE CASCADE,
    properties TEXT NOT NULL,
    body BLOB NOT NULL,
    takes INTEGER NOT NULL DEFAULT 0,
    token INTEGER,               -- of the last taking: what an earlier one still does has no effect
    leased_until REAL NOT NULL DEFAULT 0,
    expires_at REAL,
    died TEXT
);
CREATE INDEX message_queue ON message (queue, id);
CREATE INDEX message_expiry ON message (expires_at) WHERE expires_at IS NOT NULL;
CREATE TRIGGER message_in AFTER INSERT ON message BEGIN
    UPDATE queue SET length = length + 1 WHERE name = NEW.queue;
END;
CREATE TRIGGER message_out AFTER DELETE ON message BEGIN
    UPDATE queue SET length = length - 1 WHERE name = OLD.queue;
END;
CREATE TRIGGER message_moved AFTER UPDATE OF queue ON message BEGIN
    UPDATE queue SET length = length - 1 WHERE name = OLD.queue;
    UPDATE queue SET length = length + 1 WHERE name = NEW.queue;
END;
"""


def open_file(path: Path, *, is_full: bool, busy_s: float) -> sqlite3.Connection:
    """Creates the tables in a new file. `is_full`: every commit waits for the disk. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _turn_to_wal(connection, busy_s)
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_full else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        _make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _turn_to_wal(connection: sqlite3.Connection, busy_s: float) -> None:
    """Retries: SQLite itself does not wait while another process switches a new file."""
    deadline = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")  # of several starting processes, one creates them
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"its tables have version {version}; wanted {VERSION}")
    if version == 0:
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _statements() -> list[str]:
    found, rest = [], ""
    for line in _SCHEMA.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found
