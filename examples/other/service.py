"""The extracted page /shelf: reads the monolith's database and trusts the gateway's token; has no sessions."""

import argparse
import html
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis.auth.tokens import TokenVerifier
from chassis.service import server, web

ADD = '<form method="post">Title <input name="title"><button>Add</button></form>'


def books_of(reader: str, database: Path) -> list[str]:
    """Titles in the order of adding."""
    with sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT title FROM book WHERE reader = ? ORDER BY rowid", (reader,))
        return [title for (title,) in rows]


def page(reader: str, titles: list[str]) -> str:
    """The monolith's page, byte for byte."""
    books = "".join(f"<li>{html.escape(title)}</li>" for title in titles)
    return f"<h1>{html.escape(reader)}</h1><ul>{books}</ul>{ADD}"


def shelf(verifier: TokenVerifier, database: Path) -> Callable[[Request], Awaitable[Response]]:
    """Without a reader it redirects to the log-in, as the monolith does."""

    async def endpoint(request: Request) -> Response:
        reader = (await web.caller(request.headers.raw, verifier)).subject
        if reader is None:
            return RedirectResponse("/login", 303, {"content-type": "text/html; charset=utf-8"})
        return HTMLResponse(page(reader, books_of(reader, database)))

    return endpoint


def main() -> int:
    """Prints the address and serves; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("jwks_url", help="the gateway's public keys: http://ADMIN/.well-known/jwks.json")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    verifier = TokenVerifier("shelf", jwks_url=given.jwks_url)
    routes = [Route("/shelf", shelf(verifier, given.database))]
    return server.serve(Starlette(routes=routes), "127.0.0.1", given.port, service="other")


if __name__ == "__main__":
    sys.exit(main())
