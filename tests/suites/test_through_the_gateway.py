"""Both sides behind the real gateway: a client cannot tell which one answered, whoever it is and whatever its token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contracts.running import running_monolith
from tests.extracted.shop.running import Answer, Gateway, ask, running_shop
from tests.loopback.gateway_process import GatewayProcess
from tests.monolith_file import SECRET, MonolithFile
from tests.suites.sides import ACTORS, BOUGHT, HINT, IDS, difference, fill

DEBUG_TOKEN = "a-debug-token-of-the-test-run"
ROUTES = """
version: 1
paths: {case_sensitive: false, trailing_slash: ignore, decode_literals: false}
identity: {plugin: "legacy_adapter.identity:from_environment"}
services:
  monolith: {url: "${MONOLITH_URL}"}
  shop: {url: "${SHOP_URL}"}
groups:
  items: {state: extracted}
routes:
  - id: item-list
    group: items
    match: {methods: [GET], path: "/item"}
    legacy: monolith
    extracted: shop
    auth: {require: {roles: [admin]}, enforce: upstream}
  - id: item-read
    group: items
    match: {methods: [GET], path: "/item/{id}"}
    legacy: monolith
    extracted: shop
    auth: {require: {roles: [admin]}, enforce: upstream}
  - id: item-bought
    group: items
    match: {methods: [GET], path: "/item/bought/{id}"}
    legacy: monolith
    extracted: shop
    auth: {require: authenticated, enforce: upstream}
  - {id: everything-else, match: {path: "/{rest...}"}, legacy: monolith, state: legacy, auth: {require: open}}
"""
MARK = "strangler-decision"


@dataclass(frozen=True)
class Front:
    """The gateway, and the credentials by the names of those who have them."""

    port: int
    file: MonolithFile
    credentials: Mapping[str, str]

    def ask(self, credential: str, target: str, side: str, method: str = "GET") -> Answer:
        """Answered by that side, or the test fails."""
        headers = {"Strangler-Override": side, "Strangler-Debug": DEBUG_TOKEN}
        own = {"Authorization": credential} if credential else {}
        answer = ask(self.port, target, method, headers | own)
        assert answer.headers.pop(MARK).startswith(f"{side};"), "the gateway chose the other side"
        return answer

    def differ(self, actor: str, target: str, method: str = "GET") -> str:
        """What differs between the sides; "" when nothing does."""
        legacy, extracted = (
            self.ask(self.credentials[actor], target, side, method) for side in ("legacy", "extracted")
        )
        return difference(legacy, extracted)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    path = tmp_path_factory.mktemp("front") / "monolith.sqlite3"
    keys = Gateway()
    with running_monolith(path, seed="demo", environ={"AUTH_JWT_SECRET": SECRET}) as monolith:
        file = MonolithFile(path)
        credentials = fill(file)
        with running_shop(file.url, keys) as shop:
            urls = {"MONOLITH_URL": monolith.url, "SHOP_URL": f"http://127.0.0.1:{shop.port}"}
            gateway = _started(path.parent, file, keys, urls)
            try:
                yield Front(gateway.port, file, credentials)
            finally:
                gateway.stop()
        file.close()
    keys.close()


def _started(directory: Path, file: MonolithFile, keys: Gateway, urls: Mapping[str, str]) -> GatewayProcess:
    routes = directory / "routes.yaml"
    routes.write_text(ROUTES)
    secrets = {
        "AUTH_JWT_SECRET": SECRET,
        "LEGACY_DATABASE_URL": file.url,
        "STRANGLER_SIGNING_KEY": keys.signing_key,
        "STRANGLER_DEBUG_TOKEN": DEBUG_TOKEN,
    }
    return GatewayProcess(routes, directory / "state", {**urls, **secrets})


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_on_every_route(front: Front, actor: str) -> None:
    targets = ["/item", *(f"{route}/{item}" for route in ("/item", "/item/bought") for item in IDS)]
    assert [(target, found) for target in targets if (found := front.differ(actor, target))] == []


@pytest.mark.parametrize(
    "target",
    ["/ITEM/", "/Item?limit=2&order-by=cost:desc", f"/item/bought/{BOUGHT}/?x", "/item?limit=101", "/item/%zz"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_spellings(front: Front, method: str, target: str) -> None:
    assert front.differ("admin", target, method) == ""


def test_a_role_gained_counts_at_once(front: Front) -> None:
    user = front.file.add_user("guest")
    credential = f"Bearer {front.file.login(user)}"
    seen = [front.ask(credential, f"/item/{HINT}", "extracted").status for _ in range(2)]
    front.file.give_role(user, "admin")
    assert [*seen, front.ask(credential, f"/item/{HINT}", "extracted").status] == [403, 403, 200]


def test_a_purchase_counts_at_once(front: Front) -> None:
    user = front.file.add_user("guest")
    credential = f"Bearer {front.file.login(user)}"
    before = front.ask(credential, f"/item/bought/{HINT}", "extracted")
    front.file.add_purchase(user, HINT)
    after = front.ask(credential, f"/item/bought/{HINT}", "extracted")
    assert (b'"data":null' in before.body, b'"data":null' in after.body) == (True, False)
