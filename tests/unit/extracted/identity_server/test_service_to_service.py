"""Account asks Shop and Learning asks Runner with tokens of a real Keycloak, without any shared token."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from chassis.settings import load
from extracted.account.purchases.offers import HttpOffers
from extracted.account.settings import Settings as AccountSettings
from extracted.learning.settings import Settings as LearningSettings
from extracted.learning.submissions.domain import CodeResult
from extracted.learning.submissions.ports import CodeJob, RunFailed
from extracted.learning.submissions.runner_client import HttpRunner
from tests.recordings.running import running_runner
from tests.support.keycloak.identity import AppliedRealm, add_key
from tests.support.monolith.monolith_file import MonolithFile
from tests.unit.extracted.identity_server.realm_tokens import id_token, key_of, token_of, user_token
from tests.unit.extracted.running import Gateway
from tests.unit.extracted.shop.running import RunningShop, ask, bearer, running_shop, user

pytestmark = pytest.mark.connected

UNKNOWN = str(uuid4())


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def monolith(tmp_path_factory: pytest.TempPathFactory) -> MonolithFile:
    return MonolithFile(tmp_path_factory.mktemp("monolith") / "monolith.sqlite3")


@pytest.fixture(scope="module")
def shop(keycloak: AppliedRealm, monolith: MonolithFile, gateway: Gateway) -> Iterator[RunningShop]:
    own = {"KEYCLOAK_URL": keycloak.server.url, "KEYCLOAK_REALM": keycloak.server.realm}
    with running_shop(monolith.url, gateway, **own) as shop:
        yield shop


def account(realm: AppliedRealm, shop_url: str) -> AccountSettings:
    return load(
        AccountSettings,
        database_url=SecretStr("sqlite:///unused"),
        jwks_url="http://127.0.0.1:9/jwks.json",
        broker_url=SecretStr("sqlite:///unused"),
        shop_url=shop_url,
        keycloak_url=realm.server.url,
        keycloak_realm=realm.server.realm,
        service_client_secret=SecretStr(realm.secrets["polycode-account"]),
    )


async def test_account_asks_shop(keycloak: AppliedRealm, shop: RunningShop, monolith: MonolithFile) -> None:
    settings = account(keycloak, f"http://127.0.0.1:{shop.port}")
    assert settings.sells
    offers = HttpOffers(settings.shop_url or "", settings.credential(settings.shop_token))
    item, asker = monolith.add_item(), monolith.add_user()
    found = await asyncio.gather(*(offers.find(asker, item) for _ in range(20)))
    await offers.aclose()
    assert {offer.item.id for offer in found if offer is not None} == {item}


async def test_keycloaks_keys_change_while_account_asks_shop_and_no_call_is_refused(
    keycloak: AppliedRealm, shop: RunningShop, monolith: MonolithFile
) -> None:
    """Three times. One Account goes on with the token that it has; after each change a new one gets another."""
    settings = account(keycloak, f"http://127.0.0.1:{shop.port}")
    item, asker = monolith.add_item(), monolith.add_user()

    def new_account() -> HttpOffers:
        return HttpOffers(settings.shop_url or "", settings.credential(None), timeout_s=30)

    async def asks(one: HttpOffers) -> bool:
        offer = await one.find(asker, item)
        return offer is not None and offer.item.id == item

    async def ask_until(stopped: asyncio.Event) -> list[bool]:
        answers = [await asks(accounts[0])]
        while not stopped.is_set():
            answers.append(await asks(accounts[0]))
        return answers

    accounts, stopped, keys = [new_account()], asyncio.Event(), {key_of(token_of(keycloak, "polycode-account"))}
    going_on = asyncio.create_task(ask_until(stopped))
    for priority in (2001, 2002, 2003):
        await asyncio.to_thread(add_key, keycloak, priority)
        keys.add(key_of(token_of(keycloak, "polycode-account")))
        accounts.append(new_account())
        assert all(await asyncio.gather(*(asks(accounts[-1]) for _ in range(10))))
    stopped.set()
    answers = await going_on
    for one in accounts:
        await one.aclose()
    assert (len(keys), all(answers), len(answers) > 3) == (4, True, True)


REFUSED: dict[str, Callable[[AppliedRealm], str]] = {
    "Learning's own, for Runner": lambda realm: token_of(realm, "polycode-learning"),
    "Shop's own, for nobody": lambda realm: token_of(realm, "polycode-shop"),
    "the administration's": lambda realm: token_of(realm, "polycode-identity"),
    "a user's": user_token,
    "an ID token": id_token,
    "nothing": lambda _realm: "",
}


@pytest.mark.parametrize("whose", REFUSED)
def test_shop_refuses_what_was_not_meant_for_it(keycloak: AppliedRealm, shop: RunningShop, whose: str) -> None:
    path = f"/internal/offers/{UNKNOWN}?user={UNKNOWN}"
    assert ask(shop.port, path, "GET", bearer(token_of(keycloak, "polycode-account"))).status == 404
    assert ask(shop.port, path, "GET", bearer(REFUSED[whose](keycloak))).status == 401


def test_shop_refuses_the_gateways_token(shop: RunningShop) -> None:
    assert shop.ask(f"/internal/offers/{UNKNOWN}?user={UNKNOWN}", user("admin")).status == 401


async def test_learning_asks_runner_and_nobody_else_does(keycloak: AppliedRealm, tmp_path: Path) -> None:
    server, program = keycloak.server, "print(int(input()) * 2)"
    own = {"RUNNER_KEYCLOAK_URL": server.url, "RUNNER_KEYCLOAK_REALM": server.realm, "RUNNER_ALLOW_WEAK": "true"}
    with running_runner(own) as runner:
        url = f"http://127.0.0.1:{runner.port}"
        settings = load(
            LearningSettings,
            database_url=SecretStr("sqlite:///unused"),
            jwks_url="http://127.0.0.1:9/jwks.json",
            runner_url=url,
            keycloak_url=server.url,
            keycloak_realm=server.realm,
            service_client_secret=SecretStr(keycloak.secrets["polycode-learning"]),
        )
        client = HttpRunner(url, settings.credential(settings.runner_token), at_once=1)
        assert await client.run(CodeJob("u", "PYTHON", program, [["21"]], 20)) == [CodeResult("42\n", "", 0)]
        await client.aclose()
        for other in ("polycode-account", "polycode-runner"):
            answer = httpx.get(f"{url}/runtimes", headers=bearer(token_of(keycloak, other)))
            assert answer.status_code == 401


async def test_while_keycloak_is_away_and_there_is_no_token_the_call_fails_and_says_why() -> None:
    settings = load(
        LearningSettings,
        database_url=SecretStr("sqlite:///unused"),
        jwks_url="http://127.0.0.1:9/jwks.json",
        runner_url="http://127.0.0.1:9",
        keycloak_url="http://127.0.0.1:9",
        service_client_secret=SecretStr("secret-of-polycode-learning"),
    )
    client = HttpRunner("http://127.0.0.1:9", settings.credential(settings.runner_token), at_once=1)
    with pytest.raises(RunFailed, match="no token for polycode-learning: All connection attempts failed"):
        await client.run(CodeJob("u", "PYTHON", "", [[]], 20))
    await client.aclose()
