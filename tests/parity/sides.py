"""Requests for both sides, and the comparison of their answers."""

import asyncio
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chassis.auth.claims import Identity
from chassis.database.database import Database
from legacy_adapter.identity import MonolithIdentity
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData, claims_of, sign
from tests.support.stores import Stores
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

Fields = Mapping[str, str] | None
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PER_CONNECTION = {"date", "connection", "keep-alive"}
HINT = "11111111-1111-4111-8111-111111111111"
BOUGHT = "22222222-2222-4222-8222-abcdefabcdef"
UNKNOWN = "00000000-0000-4000-8000-000000000000"

ACTORS = (
    "nobody", "scheme alone", "three words", "another scheme", "expired", "no row", "nonsense", "alg none",
    "other secret", "other audience", "other issuer", "guest", "user", "admin", "deleted",
)  # fmt: skip
IDS = (
    HINT, BOUGHT, BOUGHT.upper(), UNKNOWN, "abc", "%7B" + BOUGHT + "%7D", BOUGHT.replace("-", ""), "%zz", "%00",
    "a+b",
)  # fmt: skip


def difference(legacy: Answer, extracted: Answer) -> str:
    """What differs, except headers of the connection; "" when nothing does."""
    pairs = {"status": (legacy.status, extracted.status), "body": (legacy.body, extracted.body)}
    names = (legacy.headers.keys() | extracted.headers.keys()) - PER_CONNECTION
    pairs |= {name: (legacy.headers.get(name), extracted.headers.get(name)) for name in names}
    return "; ".join(f"{name}: {old!r} / {new!r}" for name, (old, new) in pairs.items() if old != new)


def without_ids(answer: Answer) -> Answer:
    """The answer with one text for all ids; its entity tag must be that of its own body."""
    if not ID.search(answer.body):
        return answer
    assert answer.headers["etag"] == tag_of(answer.body)
    body = ID.sub(b"ID", answer.body)
    return replace(answer, body=body, headers=answer.headers | {"etag": tag_of(body)})


def tag_of(body: bytes) -> str:
    return f'W/"{len(body):x}-{b64encode(hashlib.sha1(body).digest())[:27].decode()}"'


def fill(file: MonolithData) -> dict[str, str]:
    """Items of every sort, a purchase, and a credential of every kind."""
    for cost in (0.5, 1e21, 1e-7, 2**53 + 2, 12345678.9):
        file.add_item(cost=cost, type="validator", data={"text": f"é ✓ \u2028 {cost}"})
    file.add_item(BOUGHT, cost=3)
    # the stand-in decides by policies, so tests must use its own roles
    names = {"guest": ("guest",), "user": ("guest", "user"), "admin": ("admin",), "deleted": ("guest", "user")}
    users = {name: file.add_user(*roles) for name, roles in names.items()}
    file.add_purchase(users["user"], BOUGHT)
    tokens = {name: file.login(user) for name, user in users.items()}
    expired = file.login(users["admin"])
    file.expire(expired)
    file.delete_user(users["deleted"])
    return {name: f"Bearer {token}" for name, token in tokens.items()} | {
        "nobody": "",
        "scheme alone": "Bearer",
        "three words": f"Bearer {tokens['admin']} x",
        "another scheme": f"Foo {tokens['admin']}",
        "expired": f"Bearer {expired}",
        "no row": f"Bearer {sign(claims_of(users['admin']))}",
        "nonsense": "Bearer nonsense",
        "alg none": "Bearer eyJhbGciOiJub25lIn0.eyJzdWJqZWN0IjoieCJ9.",
        "other secret": f"Bearer {sign(claims_of(users['admin']), 'another-secret-of-sufficient-length')}",
        "other audience": f"Bearer {file.login(users['admin'], aud='https://elsewhere.example')}",
        "other issuer": f"Bearer {file.login(users['admin'], iss='https://elsewhere.example')}",
    }


@dataclass(frozen=True)
class Sides:
    """Both sides, and the credentials by the names of those who have them."""

    monolith_port: int
    shop: RunningService
    credentials: Mapping[str, str]
    identities: Mapping[str, Identity]
    file: MonolithData

    def differ(
        self, actor: str, target: str, method: str = "GET", headers: Fields = None, body: bytes | None = None
    ) -> str:
        """What differs; "" when nothing does."""
        legacy = self.ask_monolith(actor, target, method, headers, body)
        return difference(legacy, self.ask_shop(actor, target, method, headers, body))

    def ask_monolith(
        self, actor: str, target: str, method: str, headers: Fields = None, body: bytes | None = None
    ) -> Answer:
        """Asks with the client's credential."""
        credential = self.credentials[actor]
        own = {"Authorization": credential} if credential else {}
        return ask(self.monolith_port, target, method, own | dict(headers or {}), body)

    def ask_shop(
        self, actor: str, target: str, method: str, headers: Fields = None, body: bytes | None = None
    ) -> Answer:
        """Asks with the internal token that the gateway makes of the credential."""
        identity = self.identities[self.credentials[actor]]
        return self.shop.ask(target, identity, method=method, headers=headers, body=body)


async def identities_of(url: str, credentials: Iterable[str]) -> dict[str, Identity]:
    """Credential → identity, as the gateway's steps identify and authorize establish it."""
    plugin = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(url))
    fields = {one: [(b"authorization", one.encode())] if one else [] for one in credentials}
    try:
        return {one: await plugin.confirm(plugin.identify(sent), sent) for one, sent in fields.items()}
    finally:
        await plugin.aclose()


def documents_of(stores: Stores) -> dict[str, str]:
    """The setting of a service that needs documents."""
    return {"DOCUMENTS_URL": stores.documents_url} if stores.documents_url else {}


@contextmanager
def running_sides(stores: Stores, mode: str) -> Iterator[Sides]:
    """`mode`: production or development."""
    variables = {"AUTH_JWT_SECRET": SECRET, "NODE_ENV": mode}
    gateway = Gateway()
    with running_monolith_on(stores, seed="demo", environ=variables) as monolith:
        file = MonolithData(stores)
        credentials = fill(file)
        with running_service("shop", file.url, gateway, ENVIRONMENT=mode, **documents_of(stores)) as shop:
            identities = asyncio.run(identities_of(file.url, credentials.values()))
            yield Sides(monolith.port, shop, credentials, identities, file)
        file.close()
    gateway.close()
