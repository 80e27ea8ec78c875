"""The page /shelf, extracted: reads the monolith's database, believes the gateway's token, knows no session."""

import argparse
import html
import sqlite3
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis.tokens import TokenVerifier

ADD = '<form method="post">Title <input name="title"><button>Add</button></form>'


def books_of(reader: str, database: Path) -> list[str]:
    """Titles in the order they were added."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT title FROM book WHERE reader = ? ORDER BY rowid", (reader,))
        return [title for (title,) in rows]


def page(reader: str, titles: list[str]) -> str:
    """The monolith's page, byte for byte."""
    books = "".join(f"<li>{html.escape(title)}</li>" for title in titles)
    return f"<h1>{html.escape(reader)}</h1><ul>{books}</ul>{ADD}"


async def shelf(verifier: TokenVerifier, database: Path, request: Request) -> Response:
    """Without a reader it sends to the login, as the monolith does."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    identity = await verifier.verify(token.encode())
    if identity.subject is None:
        return RedirectResponse("/login", 303, {"content-type": "text/html; charset=utf-8"})
    return HTMLResponse(page(identity.subject, books_of(identity.subject, database)))


def application(verifier: TokenVerifier, database: Path) -> Starlette:
    """One route."""
    return Starlette(routes=[Route("/shelf", partial(shelf, verifier, database))])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("database", type=Path)
    arguments.add_argument("jwks_url")
    given = arguments.parse_args()
    verifier = TokenVerifier(jwks_url=given.jwks_url, audience="shelf", issuer="strangler")
    server = uvicorn.Server(uvicorn.Config(application(verifier, given.database), port=0, log_level="warning"))
    server.run()
