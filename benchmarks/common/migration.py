"""The gateway's configuration: a migration in progress, 48 routes, and a caller with a token.

Every step has work: the route is one of many, the token is verified, the caller is limited, the share puts every user
on the extracted side, so the gateway issues its own token. Metrics and log are on.
"""

import secrets
import time
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import OctKey

TARGET = "/item/4711"
KEY_ENV = "BENCHMARK_JWT_KEY"
"""The gateway finds the key to the caller's token in this variable."""
SEEN = "/seen"
UPLOAD = "/upload"
_RESOURCES = (
    *("account", "address", "article", "basket", "booking", "category", "comment", "coupon"),
    *("customer", "delivery", "invoice", "item", "offer", "order", "payment"),
)
_ISSUER, _AUDIENCE = "https://login.example", "shop"


def bytes_target(size: int) -> str:
    return f"/bytes/{size}"


@dataclass(frozen=True, slots=True)
class BenchmarkUser:
    """One user: the key that the gateway verifies with, and the token that it sends."""

    key: str
    token: str

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        return (("Authorization", f"Bearer {self.token}"),)


def new_caller() -> BenchmarkUser:
    key = secrets.token_hex(32)
    now = int(time.time())
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "user-4711", "roles": ["user"], "iat": now, "exp": now + 3600}
    return BenchmarkUser(key, jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key)))


def routes_yaml(origin_port: int, sink_port: int) -> str:
    """routes.yaml: all declared routes go to the extracted side."""
    return "\n".join([_HEAD.format(origin=origin_port, sink=sink_port), *_routes(), _LAST])


def _routes() -> list[str]:
    return [
        *(_route(f"{name}-list", "GET", f"/{name}", "origin") for name in _RESOURCES),
        *(_route(f"{name}-read", "GET", f"/{name}/{{id}}", "origin") for name in _RESOURCES),
        *(_route(f"{name}-create", "POST", f"/{name}", "origin") for name in _RESOURCES),
        _route("bytes", "GET", "/bytes/{size}", "origin"),
        _route("seen", "GET", SEEN, "sink"),
        _route("upload", "POST", UPLOAD, "sink"),
    ]


def _route(route_id: str, method: str, path: str, service: str) -> str:
    return f"""  - id: {route_id}
    group: moved
    match: {{methods: [{method}], path: "{path}"}}
    legacy: monolith
    extracted: {service}
    auth: {{require: authenticated, enforce: upstream}}
    limit: {{rate: "1000000/second", by: user}}"""


_HEAD = f"""version: 1
paths: {{{{case_sensitive: false, trailing_slash: ignore, decode_literals: false}}}}
identity:
  jwt: {{{{key_env: {KEY_ENV}, algorithms: [HS256], issuer: "{_ISSUER}", audience: "{_AUDIENCE}", roles: "$.roles"}}}}
services:
  monolith: {{{{url: "http://127.0.0.1:{{origin}}"}}}}
  origin: {{{{url: "http://127.0.0.1:{{origin}}"}}}}
  sink: {{{{url: "http://127.0.0.1:{{sink}}"}}}}
groups:
  moved: {{{{state: canary, share: 100, salt: moved-1, data: shared}}}}
routes:"""
_LAST = """  - id: everything-else
    match: {path: "/{rest...}"}
    legacy: monolith
    state: legacy
    auth: {require: open}
"""
