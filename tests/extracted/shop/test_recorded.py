"""The shop answers what the real monolith answered, to the byte, where the recording asked for what the shop serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.claims import NOBODY, Identity, Outcome
from tests.contracts.replay import Step, load
from tests.extracted.shop.running import Gateway, RunningShop, running_shop
from tests.monolith_file import MonolithFile

STEPS = {step.name: step for step in load(Path(__file__).parents[2] / "contracts" / "production.jsonl")}
HINT = "cf9bff9c-3143-46ff-8cc0-b9f14076f364"
FREE = "1bcdb4bf-f98d-4d3a-91e3-c66e6ff7088b"
DEAR = "01dd54aa-890a-4696-9186-68fa555d9757"
VALIDATOR = "3cdd54af-678a-4d17-a32a-4fcff6b67360"

ADMIN = Identity(Outcome.USER, "4c75e3f0-d974-40dd-8e6c-27e29c1df764", ("admin",))
USER = Identity(Outcome.USER, "cc398a7c-0fe4-406c-8ef5-4552b5d82a21", ("guest", "user"))
GUEST = Identity(Outcome.USER, "e44adca0-47d9-49d0-abd9-5e771ad3676b", ("guest",))
REJECTED = Identity(Outcome.REJECTED)

BEFORE_THE_CHANGE = {
    "401 GET /item": NOBODY,
    "401 GET /item/bought/{id}": NOBODY,
    "403-badtoken GET /item": REJECTED,
    "403-badtoken GET /item/{id}": REJECTED,
    "403-badtoken GET /item/bought/{id}": REJECTED,
    "guest GET /item/{id}": GUEST,
    "guest GET /item/bought/{id}": GUEST,
    "item-get-user": USER,
    "item-get-unknown": ADMIN,
    "items": ADMIN,
    "items-type": ADMIN,
    "items-order-bad": ADMIN,
    "items-order-no-direction": ADMIN,
    "items-page": ADMIN,
    "bought-unknown": USER,
}
AFTER_THE_CHANGE = {"item-get-after": ADMIN, "bought-not": USER}
OF_EVERY_PATH = [
    "root",
    "unknown-post",
    "unknown-post-badjson",
    "unknown-head",
    "cors-on-404",
    "logout-spa",
    "validate-get",
    "health-options",
    "preflight-delete",
    "preflight-no-headers",
    "preflight-bad-token",
    "signup-badjson",
    "signup-badjson-2",
    "signup-json-string",
    "signup-big",
]
PER_CONNECTION = {"date", "connection", "keep-alive"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path_factory.mktemp("recorded") / "monolith.sqlite3")
    file.add_item(HINT, cost=10, data={"text": "hint hhrcgx"})
    file.add_item(FREE, cost=0, data={"text": ""})
    file.add_item(DEAR, cost=100000, data={"text": "hint hhrcgx"})
    file.add_item(VALIDATOR, cost=1.5, type="validator", data={"text": "hint hhrcgx"})
    yield file
    file.close()


@pytest.fixture(scope="module")
def recorded_shop(recorded: MonolithFile, gateway: Gateway) -> Iterator[RunningShop]:
    with running_shop(recorded.url, gateway) as running:
        yield running


def check(shop: RunningShop, step: Step, identity: Identity) -> None:
    headers = {name: value for name, value in step.request.headers if name != "Authorization"}
    body = step.request.body.encode() or None
    answer = shop.ask(step.target, identity, method=step.method, headers=headers, body=body)
    wanted = {name.lower(): value for name, value in step.response.headers}
    assert (answer.status, answer.body.decode()) == (step.response.status, step.response.body)
    assert _lasting(answer.headers) == _lasting(wanted)


def _lasting(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in PER_CONNECTION}


@pytest.mark.parametrize("name", BEFORE_THE_CHANGE)
def test_a_recorded_read(recorded_shop: RunningShop, name: str) -> None:
    check(recorded_shop, STEPS[name], BEFORE_THE_CHANGE[name])


@pytest.mark.parametrize("name", OF_EVERY_PATH)
def test_a_recorded_answer_that_no_route_makes(recorded_shop: RunningShop, name: str) -> None:
    check(recorded_shop, STEPS[name], NOBODY)


def test_recorded_reads_after_the_item_was_changed(recorded_shop: RunningShop, recorded: MonolithFile) -> None:
    recorded.change_item(HINT, cost=12, data={"text": "new hhrcgx"})
    try:
        for name, identity in AFTER_THE_CHANGE.items():
            check(recorded_shop, STEPS[name], identity)
    finally:
        recorded.change_item(HINT, cost=10, data={"text": "hint hhrcgx"})


def test_every_recorded_read_of_items_is_asked() -> None:
    reads = {name for name, step in STEPS.items() if step.method == "GET" and step.target.startswith("/item")}
    assert reads == BEFORE_THE_CHANGE.keys() | AFTER_THE_CHANGE.keys()
