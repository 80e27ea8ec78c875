"""What a log-in costs beside Keycloak's own: `python -m benchmarks.log_in` (after make parts). The last line is JSON.

One client logs in users who have moved to Keycloak, in turns through Account and by Keycloak's own direct grant
(RFC 6749 §4.3), on kept-alive connections, one log-in at a time. Account counts each attempt under all three scopes.
`added_ms`: the difference of the medians.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlencode, urlsplit

from chassis.auth.claims import CLIENT_ADDRESS, NOBODY
from chassis.database import migrations
from extracted.account.purchases.storage import MIGRATIONS
from tests.support.connected import fresh_postgres
from tests.support.keycloak.identity import AppliedRealm, account_settings, applied_realm
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import Stores, on_sqlite
from tests.unit.extracted.running import Gateway, running_service

PASSWORD = "correct horse 9"
USERS = 10
JSON_BODY = {"Content-Type": "application/json"}
FORM_BODY = {"Content-Type": "application/x-www-form-urlencoded"}

LogIn = Callable[[str], None]
"""Of the user with this id. Raises RuntimeError unless it succeeds."""


def added(stores: Stores, realm: AppliedRealm, rounds: int) -> dict[str, float]:
    """`account_ms`, `keycloak_ms` and `added_ms` of one database."""
    data = MonolithData(stores)
    asyncio.run(migrations.upgrade(data.url, "account", MIGRATIONS))
    users = [data.add_user("user") for _ in range(USERS)]
    for user in users:
        data.add_login(user, f"{user}@b.example", PASSWORD)
    with _at_account(data.url, realm) as at_account, _at_keycloak(realm) as at_keycloak:
        for user in users:
            at_account(user)  # moves
        pairs = [(_ms(at_account, user), _ms(at_keycloak, user)) for _ in range(rounds) for user in users]
    data.close()
    account_ms, keycloak_ms = (median(times) for times in zip(*pairs, strict=True))
    result = {"account_ms": account_ms, "keycloak_ms": keycloak_ms, "added_ms": account_ms - keycloak_ms}
    return {name: round(value, 2) for name, value in result.items()}


@contextmanager
def _at_account(database_url: str, realm: AppliedRealm) -> Iterator[LogIn]:
    with ExitStack() as closing:
        gateway = Gateway()
        closing.callback(gateway.close)
        account = closing.enter_context(running_service("account", database_url, gateway, **account_settings(realm)))
        head = {CLIENT_ADDRESS.decode(): "192.0.2.7", **JSON_BODY, **gateway.authorization(NOBODY, "account")}
        connection = HTTPConnection("127.0.0.1", account.port)
        closing.callback(connection.close)

        def log_in(user: str) -> None:
            body = {"grantType": "implicit", "identity": f"{user}@b.example", "secret": PASSWORD}
            _post(connection, "/auth/token", json.dumps(body), head, 201)

        yield log_in


@contextmanager
def _at_keycloak(realm: AppliedRealm) -> Iterator[LogIn]:
    at = urlsplit(realm.token_url)
    connection = HTTPConnection(at.hostname or "", at.port)
    client = {"client_id": "polycode", "client_secret": realm.secrets["polycode"]}
    grant = client | {"grant_type": "password", "scope": "basic", "password": PASSWORD}
    try:
        yield lambda user: _post(connection, at.path, urlencode(grant | {"username": user}), FORM_BODY, 200)
    finally:
        connection.close()


def _post(connection: HTTPConnection, path: str, body: str, head: Mapping[str, str], wanted: int) -> None:
    connection.request("POST", path, body, dict(head))
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != wanted:
        raise RuntimeError(f"POST {path} was answered with {answer.status}: {said[:200]!r}")


def _ms(log_in: LogIn, user: str) -> float:
    begun = time.perf_counter()
    log_in(user)
    return (time.perf_counter() - begun) * 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.log_in", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help=f"of {USERS} log-ins each (default %(default)s)")
    options = parser.parse_args(argv)
    realm = applied_realm()
    with tempfile.TemporaryDirectory() as folder:
        stores = {"sqlite": on_sqlite(Path(folder)), "postgres": Stores(fresh_postgres())}
        print(json.dumps({name: added(one, realm, options.rounds) for name, one in stores.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
