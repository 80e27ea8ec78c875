"""The shop and the stand-in monolith behind the real gateway give every caller the same answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.http.gateway_process import GatewayProcess
from tests.parity.sides import ACTORS, HINT, IDS, JSON, UNKNOWN, difference, documents_of, fill
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.shop.running import Answer, Gateway, ask, running_shop

pytestmark = pytest.mark.walk

DEBUG_TOKEN = "a-debug-token-of-the-test-run"
ROUTES = Path(__file__).parents[3] / "routes.yaml"
GROUPS = ("items", "purchases")
WRITES = [("POST", "/item"), ("PATCH", f"/item/{UNKNOWN}"), ("DELETE", f"/item/{UNKNOWN}")]
MARK = "strangler-decision"


@dataclass(frozen=True)
class Front:
    """The gateway, and the credentials by the names of those who have them."""

    port: int
    file: MonolithData
    credentials: Mapping[str, str]

    def ask(self, credential: str, target: str, side: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """Asks that side; the test fails if another one answers."""
        headers = {"Strangler-Override": side, "Strangler-Debug": DEBUG_TOKEN} | ({} if body is None else JSON)
        own = {"Authorization": credential} if credential else {}
        answer = ask(self.port, target, method, headers | own, body)
        assert answer.headers.pop(MARK).startswith(f"{side};"), "the gateway chose the other side"
        return answer

    def differ(self, actor: str, target: str, method: str = "GET", body: bytes | None = None) -> str:
        """What differs between the sides; "" when nothing does."""
        legacy, extracted = (
            self.ask(self.credentials[actor], target, side, method, body) for side in ("legacy", "extracted")
        )
        return difference(legacy, extracted)


@pytest.fixture(scope="module", params=EVERYWHERE)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    directory = tmp_path_factory.mktemp("front")
    stores = request.param(directory)
    keys = Gateway()
    with running_monolith_on(stores, seed="demo") as monolith:
        file = MonolithData(stores)
        credentials = fill(file)
        with running_shop(file.url, keys, **documents_of(stores)) as shop:
            urls = {"MONOLITH_URL": monolith.url, "SHOP_URL": f"http://127.0.0.1:{shop.port}"}
            gateway = _started(directory, file, keys, urls)
            try:
                yield Front(gateway.port, file, credentials)
            finally:
                gateway.stop()
        file.close()
    keys.close()


def _started(directory: Path, file: MonolithData, keys: Gateway, urls: Mapping[str, str]) -> GatewayProcess:
    routes = directory / "routes.yaml"
    routes.write_text(_extracted(ROUTES.read_text()))
    secrets = {
        "AUTH_JWT_SECRET": SECRET,
        "LEGACY_DATABASE_URL": file.url,
        "STRANGLER_SIGNING_KEY": keys.signing_key,
        "STRANGLER_DEBUG_TOKEN": DEBUG_TOKEN,
    }
    return GatewayProcess(routes, directory / "state", {**urls, **secrets})


def _extracted(text: str) -> str:
    """This repository's own routes, with the shop's groups at the end of their way."""
    for group in GROUPS:
        assert f"  {group}: {{state: legacy," in text
        text = text.replace(f"  {group}: {{state: legacy,", f"  {group}: {{state: extracted,")
    return text


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_on_every_route(front: Front, actor: str) -> None:
    targets = ["/item", "/transactions", *(f"{route}/{item}" for route in ("/item", "/item/bought") for item in IDS)]
    assert [(target, found) for target in targets if (found := front.differ(actor, target))] == []


def test_a_write_of_either_side_reaches_the_client_the_same(front: Front) -> None:
    assert [front.differ("admin", target, method, b'{"cost":-1}') for method, target in WRITES] == [""] * len(WRITES)


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
