"""What it costs to know users: requests of 10,000 users of an identity server, against requests of nobody.

`python -m benchmarks.gateway.authenticated` prints the ratios alone. Both loads go to the same routes of the same
gateway, each request with another query; every user has a token (RS256, some 900 bytes) of their own, and each request
is another user's. Before the rounds every token has been verified once.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from benchmarks.common import designs
from benchmarks.common.designs import Design, Stage
from benchmarks.common.load import Generator
from benchmarks.common.migration import TARGET, new_caller, routes_yaml
from benchmarks.common.origins import origins
from benchmarks.common.processes import choose_cores, pinned
from benchmarks.common.report import ratio

USERS = 10_000
CONNECTIONS = 64
NAMES = ("auth_ratio", "compiled_auth_ratio")
_ISSUER = "https://id.example/realms/shop"


def identity_yaml(jwks: Path) -> str:
    """The provider that reads the tokens of `token`."""
    return f'identity: {{jwt: {{jwks_file: "{jwks}", issuer: "{_ISSUER}", azp: [web], typ: Bearer}}}}\n'


def token(key: RSAKey, number: int) -> str:
    """One user's, as long as an identity server makes them."""
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": ["api", "account"],
        "azp": "web",
        "typ": "Bearer",
        "sub": f"5f0c64e1-9b1d-4a57-8f3e-{number:012}",
        "sid": f"{number:036}",
        "jti": f"trrtcc:{number:036}",
        "scope": "openid",
        "acr": "1",
        "realm_access": {"roles": ["user", "offline_access"]},
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": key.kid or ""}, claims, key)


def auth_ratios(folder: Path, rounds: int, seconds: float) -> dict[str, float | None]:
    """Requests per second of users against those of nobody, pure and compiled; None where it is not installed."""
    generator, cores = Generator(), choose_cores()
    key = RSAKey.generate_key(2048, {"kid": "2026"})
    jwks, users, nobody = folder / "jwks.json", folder / "tokens", folder / "no-tokens"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    users.write_text("\n".join(token(key, number) for number in range(USERS)))
    nobody.write_text("")
    others = cores.others if cores else None
    with ExitStack() as closing:
        closing.enter_context(pinned(others))
        upstream = closing.enter_context(origins(folder, others, ()))
        stage = Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
        routes = _with(routes_yaml(upstream.main_port, upstream.sink_port), identity_yaml(jwks))
        found: Mapping[str, Design | None] = {
            "auth_ratio": designs.gateway(stage, routes_text=routes),
            "compiled_auth_ratio": designs.compiled(stage, routes),
        }
        return {name: _ratio(generator, design, users, nobody, rounds, seconds) for name, design in found.items()}


def _with(routes: str, identity: str) -> str:
    """The benchmark's table, with another provider, and with everybody in the canary."""
    before, _, rest = routes.partition("identity:")
    after = rest.partition("services:")[2].replace("share: 100", "share: 100, anonymous: address")
    return f"{before}{identity}services:{after}"


def _ratio(
    generator: Generator, design: Design | None, users: Path, nobody: Path, rounds: int, seconds: float
) -> float | None:
    if design is None or generator.name != "wrk":
        return None
    generator.of_users(design.port, TARGET, users, CONNECTIONS, 4.0)  # each token is verified
    known: list[float] = []
    open_: list[float] = []
    for _ in range(rounds):
        for rates, tokens in ((known, users), (open_, nobody)):
            load = generator.of_users(design.port, TARGET, tokens, CONNECTIONS, seconds)
            if load.errors:
                raise RuntimeError(f"{design.name}: {load.errors} requests failed")
            rates.append(load.requests_per_s)
    return ratio(known, open_)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-users-") as folder:
        print(json.dumps(auth_ratios(Path(folder), 5, 2.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
