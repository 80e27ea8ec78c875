"""Writes a first routes file: everything in legacy, one route for each known path shape of the monolith."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from strangler_gateway.config.checks.check import check_text
from strangler_gateway.config.checks.secrets import is_name
from strangler_gateway.config.init.access_log import shapes_of_log
from strangler_gateway.config.init.openapi import shapes_of_openapi
from strangler_gateway.config.init.path_shapes import Shape
from strangler_gateway.config.yaml.scalars import resolve

MAX_ROUTES = 1000
LAST_ROUTE = "everything-else"

_HEAD = """\
# Which requests go to the monolith, and which to extracted services. Written by `strangler init`: nothing has moved
# yet, every request still goes to the monolith as it came. Review the file, then:
#   strangler check FILE              reports every fault, and warns of probable mistakes
#   strangler serve --routes FILE     starts the gateway in front of the monolith
# To extract a route: start the service, name it under `services`, give the route `extracted:` and `shadow:` rules,
# then move it with `strangler flip ROUTE --to shadow --why "..."`.
version: 1

# How the monolith's router compares paths; a wrong value lets requests miss their route. For Express (and Nest):
#   {case_sensitive: false, trailing_slash: ignore, decode_literals: false}
paths: {case_sensitive: true, trailing_slash: strict, decode_literals: false}

# How the gateway knows who sent a request; a canary by user needs it. Instead of none, one of:
#   {jwt: {jwks_url: "https://...", issuer: "https://...", audience: api}}
#   {introspect: {url: "http://.../me", user: $.id}}
#   {plugin: "package.module:factory"}
identity: none

services:
  monolith: {url: %s}
  # catalogue: {url: "http://127.0.0.1:8102", timeout_s: {connect: 1, response: 30, idle: 60}}

# Routes whose data has one owner move together, in a group:
# groups:
#   items: {state: legacy, share: 0, salt: items-1}

routes:
"""
_LAST = f"""\
  # Everything else goes to the monolith, and is counted as undeclared traffic (`strangler routes` shows it).
  - id: {LAST_ROUTE}
    match: {{path: "/{{rest...}}"}}
    legacy: monolith
    state: legacy
"""


def init_text(upstream: str, *, openapi: str | None = None, access_log: Iterable[str] | None = None) -> str:
    """The text of a routes file for the monolith at this URL; its routes come from at most one of the two sources.

    Raises ValueError with a sentence if the URL or the source cannot be used.
    """
    if openapi is not None and access_log is not None:
        raise ValueError("an OpenAPI document and an access log at the same time; give one of them")
    head = _HEAD % json.dumps(upstream)
    faults = check_text(head + _LAST, {}).faults
    if faults:
        raise ValueError(f"the upstream URL cannot be used: {faults[0].message}")
    shapes: list[Shape] = []
    left_out = 0
    if openapi is not None:
        shapes = shapes_of_openapi(openapi)
    elif access_log is not None:
        shapes, left_out = shapes_of_log(access_log)
    return head + "".join(_routes(shapes, left_out)) + _LAST


def write_new(path: Path, text: str) -> None:
    """Writes a file that must not exist yet. Raises FileExistsError, OSError."""
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _routes(shapes: list[Shape], left_out: int) -> Iterable[str]:
    shapes = [shape for shape in shapes if shape.methods is None or shape.listed()]
    kept = sorted(shapes, key=lambda shape: -shape.requests)[:MAX_ROUTES]
    if left_out:
        yield f"  # {left_out} requests had paths that no route is written for; the last route takes them.\n"
    if len(kept) < len(shapes):
        yield f"  # {len(shapes) - MAX_ROUTES} more path shapes were found; the last route takes them.\n"
    taken = {LAST_ROUTE}
    for shape in sorted(kept, key=lambda shape: shape.path):
        yield _route(shape, taken)
    if kept:
        yield "\n"


def _route(shape: Shape, taken: set[str]) -> str:
    methods = f"methods: [{', '.join(map(_word, shape.listed()))}], " if shape.methods else ""
    count = f" # {shape.requests} requests" if shape.requests else ""
    name = _id(shape.path, taken)
    return f"  - {{id: {_word(name)}, match: {{{methods}path: {json.dumps(shape.path)}}}, legacy: monolith}}{count}\n"


def _word(text: str) -> str:
    """In quotes only if a YAML reader would read the word as something else."""
    return text if resolve(text) == (text, None) else json.dumps(text)


def _id(path: str, taken: set[str]) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-").lower()[:50].rstrip("-") or "root"
    if not is_name(words):  # "/sk/countries-and-regions" has "sk-" at its beginning, as some keys have
        words = "route"
    word = f"route-{words}" if words[0].isdigit() else words
    name = next(each for n in range(1, len(taken) + 2) if (each := word if n == 1 else f"{word}-{n}") not in taken)
    taken.add(name)
    return name
