"""A tiny monolith of another kind: reading lists, session cookies, HTML forms; standard library and SQLite only.

It stores passwords in clear text. It is here to be strangled: do not copy it.
"""

import argparse
import html
import json
import secrets
import sqlite3
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

SCHEMA = """CREATE TABLE IF NOT EXISTS reader (name TEXT PRIMARY KEY, password TEXT);
CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, reader TEXT);
CREATE TABLE IF NOT EXISTS book (reader TEXT, title TEXT);
INSERT OR IGNORE INTO reader VALUES ('ada', 'byron'), ('alan', 'enigma');"""
LOGIN = '<form method="post">Name <input name="name"> Password <input name="password" type="password"><button>'
ADD = '<form method="post">Title <input name="title"><button>Add</button></form>'
MAX_FORM = 10_000


class ReadingList(BaseHTTPRequestHandler):
    """Handles one request: the path names the page, the cookie the reader."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    database: sqlite3.Connection

    def do_GET(self) -> None:
        if self.path == "/login":
            return self.answer(200, LOGIN + "Log in</button></form>")
        reader = self.reader()
        if self.path == "/whoami":
            return self.answer(200 if reader else 401, json.dumps({"user": reader}), "application/json")
        if self.path != "/shelf":
            return self.answer(404, "No such page")
        return self.shelf(reader) if reader else self.redirect("/login")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_FORM:
            return self.answer(413, "Too much")
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        if self.path == "/login":
            return self.log_in(form.get("name", ""), form.get("password", ""))
        reader = self.reader()
        if self.path != "/shelf" or not reader:
            return self.answer(404 if self.path != "/shelf" else 403, "Not for you")
        self.database.execute("INSERT INTO book VALUES (?, ?)", (reader, form.get("title", "")))
        return self.redirect("/shelf")

    def log_in(self, name: str, password: str) -> None:
        known = self.database.execute("SELECT 1 FROM reader WHERE name = ? AND password = ?", (name, password))
        if known.fetchone() is None:
            return self.answer(403, "Wrong name or password")
        token = secrets.token_urlsafe()
        self.database.execute("INSERT INTO session VALUES (?, ?)", (token, name))
        return self.redirect("/shelf", ("Set-Cookie", f"session={token}; Path=/; HttpOnly; SameSite=Lax"))

    def reader(self) -> str | None:
        session = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        row = session and self.database.execute("SELECT reader FROM session WHERE token = ?", (session.value,))
        found = row.fetchone() if row else None
        return found[0] if found else None

    def shelf(self, reader: str) -> None:
        rows = self.database.execute("SELECT title FROM book WHERE reader = ? ORDER BY rowid", (reader,))
        books = "".join(f"<li>{html.escape(title)}</li>" for (title,) in rows)
        self.answer(200, f"<h1>{html.escape(reader)}</h1><ul>{books}</ul>{ADD}")

    def redirect(self, path: str, *fields: tuple[str, str]) -> None:
        self.answer(303, "", fields=(("Location", path), *fields))

    def answer(self, status: int, body: str, kind: str = "text/html", fields: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body.encode())))):
            self.send_header(name, value)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("database", type=Path)
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    ReadingList.database = sqlite3.connect(given.database, check_same_thread=False, isolation_level=None)
    ReadingList.database.executescript(SCHEMA)
    server = ThreadingHTTPServer(("127.0.0.1", given.port), ReadingList)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
