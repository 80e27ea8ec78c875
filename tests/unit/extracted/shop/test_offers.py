"""What Account asks the shop before it charges: over a socket, with the credential that only Account has."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.settings import SettingsInvalid, load
from extracted.shop.settings import Settings
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import (
    INTERNAL_TOKEN,
    OPERATOR_TOKEN,
    Answer,
    Gateway,
    RunningShop,
    ask,
    bearer,
    running_shop,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def offer(shop: RunningShop, item: str, user: str, token: str = INTERNAL_TOKEN) -> Answer:
    return ask(shop.port, f"/internal/offers/{item}?user={user}", "GET", bearer(token))


def told(answer: Answer) -> tuple[int, Any]:
    return answer.status, json.loads(answer.body)


def test_an_item_that_can_be_bought_is_told_whole(seller: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item(cost=2.5, type="validator", data={"text": "é ✓"}, more=1)
    shown = {"id": item, "cost": 2.5, "type": "validator", "data": {"text": "é ✓"}}
    assert told(offer(seller, item, monolith.add_user())) == (200, {"item": shown, "transactionId": None})


@pytest.mark.parametrize("fields", [{"cost": None}, {"type": None}, {"data": None}, {"cost": 1e21}, {"cost": 0}])
def test_an_item_is_told_as_it_is_kept(seller: RunningShop, monolith: MonolithFile, fields: dict[str, Any]) -> None:
    item = monolith.add_item(**fields)
    kept = {"id": item, "cost": 10, "type": "hint", "data": {"text": "a hint"}} | fields
    assert told(offer(seller, item, monolith.add_user())) == (200, {"item": kept, "transactionId": None})


def test_what_the_user_has_bought_is_told_by_its_row_whoever_wrote_it(
    seller: RunningShop, monolith: MonolithFile
) -> None:
    item, user = monolith.add_item(), monolith.add_user()
    row = monolith.add_purchase(user, item)
    status, body = told(offer(seller, item, user))
    assert (status, body["transactionId"]) == (200, row)
    monolith.add_purchase(user, item)  # the monolith's race leaves two
    assert offer(seller, item, user).status == 200


def test_a_removed_row_and_others_purchases_do_not_count(seller: RunningShop, monolith: MonolithFile) -> None:
    item, user, other = monolith.add_item(), monolith.add_user(), monolith.add_user()
    monolith.add_purchase(user, item, deleted_at=datetime.now(UTC))
    monolith.add_purchase(other, item)
    monolith.add_purchase(user, monolith.add_item())
    assert json.loads(offer(seller, item, user).body)["transactionId"] is None


@pytest.mark.parametrize("item", [UNKNOWN, "abc", "%00", "'%20OR%201=1", "..", "x" * 5000])
def test_an_item_that_is_unknown_or_no_id_is_404(seller: RunningShop, monolith: MonolithFile, item: str) -> None:
    assert told(offer(seller, item, monolith.add_user())) == (404, {"error": "there is no such item"})


def test_a_path_with_more_or_less_in_it_is_no_missing_item(seller: RunningShop, monolith: MonolithFile) -> None:
    for path in (
        "/internal/",
        "/internal/offers/",
        f"/internal/offers/{monolith.add_item()}/",
        "/internal/offers/a%2fb",
    ):
        answer = ask(seller.port, path, "GET", bearer(INTERNAL_TOKEN))
        message = f"Cannot GET {path}"
        assert told(answer) == (404, {"statusCode": 404, "message": message, "error": "Not Found"})


def test_ids_of_items_are_compared_as_spelled(seller: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item("abcdefab-0000-4000-8000-000000000001")
    assert offer(seller, item.upper(), monolith.add_user()).status == 404


@pytest.mark.parametrize("query", ["", "?user=", "?user=me", "?USER=" + UNKNOWN])
def test_without_a_user_there_is_no_offer(seller: RunningShop, monolith: MonolithFile, query: str) -> None:
    answer = ask(seller.port, f"/internal/offers/{monolith.add_item()}{query}", "GET", bearer(INTERNAL_TOKEN))
    assert told(answer) == (400, {"error": "user is missing or not a UUID"})


@pytest.mark.parametrize(
    "fields",
    [{}, bearer(OPERATOR_TOKEN), bearer(INTERNAL_TOKEN[:-1]), bearer(INTERNAL_TOKEN + "x"), bearer(""),
     {"Authorization": INTERNAL_TOKEN}, {"Authorization": f"Basic {INTERNAL_TOKEN}"}, {"Authorization": "Bearer é"}],
)  # fmt: skip
def test_another_credential_opens_nothing_and_is_not_logged(
    seller: RunningShop, monolith: MonolithFile, fields: dict[str, str]
) -> None:
    path = f"/internal/offers/{monolith.add_item()}?user={monolith.add_user()}"
    assert told(ask(seller.port, path, "GET", fields)) == (401, {"error": "the credential is missing or wrong"})
    assert INTERNAL_TOKEN not in seller.log.read_text()


def test_the_gateways_token_opens_nothing(seller: RunningShop, monolith: MonolithFile) -> None:
    admin = Identity(AuthenticationOutcome.USER, monolith.add_user(), ("admin",))
    assert seller.ask(f"/internal/offers/{monolith.add_item()}?user={admin.subject}", admin).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_there_is_nothing_but_to_ask(seller: RunningShop, monolith: MonolithFile, method: str) -> None:
    path = f"/internal/offers/{monolith.add_item()}?user={monolith.add_user()}"
    assert ask(seller.port, path, method, bearer(INTERNAL_TOKEN)).status == 405


def test_without_a_credential_in_the_settings_there_is_no_such_route(shop: RunningShop, monolith: MonolithFile) -> None:
    answer = offer(shop, monolith.add_item(), monolith.add_user(), "")
    assert (answer.status, b"Cannot GET /internal/offers/" in answer.body) == (404, True)


@pytest.mark.walk
def test_a_store_that_is_away_is_503(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "monolith.sqlite3"
    with running_shop(f"sqlite:///{path}", gateway, INTERNAL_TOKEN=INTERNAL_TOKEN) as shop:
        assert told(offer(shop, str(uuid.uuid4()), str(uuid.uuid4()))) == (503, {"error": "the store is away"})


@pytest.mark.walk
def test_offers_are_there_without_a_broker(gateway: Gateway, monolith: MonolithFile) -> None:
    with running_shop(monolith.url, gateway, INTERNAL_TOKEN=INTERNAL_TOKEN) as shop:
        assert offer(shop, monolith.add_item(), monolith.add_user()).status == 200


def test_a_credential_that_is_easily_guessed_is_refused() -> None:
    weak = {"internal_token": SecretStr("x" * 15), "operator_token": SecretStr("x")}
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings, database_url=SecretStr("x"), jwks_url="http://127.0.0.1:1/jwks.json", **weak)
    assert {line.partition(":")[0] for line in str(refused.value).splitlines()} == {
        "SHOP_INTERNAL_TOKEN",
        "SHOP_OPERATOR_TOKEN",
    }
