"""What the shop's three reads answer, asked over a socket."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from joserfc.jwk import ECKey

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from strangler_gateway.identity.signer import Signer
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import Answer, RunningShop, ask

REJECTED = Identity(AuthenticationOutcome.REJECTED)
ROUTES = ("/item", "/item/{id}", "/item/bought/{id}")
UNKNOWN = "00000000-0000-4000-8000-000000000000"

UNAUTHORIZED = (401, b'{"statusCode":401,"message":"Unauthorized"}')
FORBIDDEN = (403, b'{"statusCode":403,"message":"Forbidden"}')
FORBIDDEN_RESOURCE = (403, b'{"statusCode":403,"message":"Forbidden resource","error":"Forbidden"}')
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')
STORE_FAILED = (500, b'{"statusCode":500,"message":"Internal Server Error"}')
UNEXPECTED = (500, b'{"statusCode":500,"message":"Internal server error"}')


def user(*roles: str, subject: str | None = None) -> Identity:
    return Identity(AuthenticationOutcome.USER, subject or str(uuid.uuid4()), roles)


ADMIN = user("admin")


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


def data(answer: Answer) -> object:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


@pytest.mark.parametrize("route", ROUTES)
def test_no_credential_is_401_and_a_bad_one_403(shop: RunningShop, route: str) -> None:
    target = route.format(id=UNKNOWN)
    assert told(shop.ask(target, NOBODY)) == UNAUTHORIZED
    assert told(shop.ask(target, REJECTED)) == FORBIDDEN


@pytest.mark.parametrize("roles", [(), ("guest",), ("user", "guest"), ("team::administrators::captain",)])
@pytest.mark.parametrize("route", ROUTES[:2])
def test_items_in_full_are_for_administrators(shop: RunningShop, route: str, roles: tuple[str, ...]) -> None:
    assert told(shop.ask(route.format(id=UNKNOWN), user(*roles))) == FORBIDDEN_RESOURCE


def test_guards_come_before_paging_and_ids(shop: RunningShop) -> None:
    assert told(shop.ask("/item?limit=101", REJECTED)) == FORBIDDEN
    assert told(shop.ask("/item?limit=101", user("guest"))) == FORBIDDEN_RESOURCE
    assert told(shop.ask("/item/bought/abc", NOBODY)) == UNAUTHORIZED


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("none at all", {}),
        ("no bearer token", {"Authorization": "Basic YTpi"}),
        ("garbage", {"Authorization": "Bearer a.b.c"}),
        ("empty", {"Authorization": "Bearer"}),
    ],
)
def test_without_the_gateways_token_nobody_is_anybody(shop: RunningShop, name: str, headers: dict[str, str]) -> None:
    assert told(ask(shop.port, "/item", "GET", headers)) == UNAUTHORIZED


def test_a_token_for_another_service_is_none(shop: RunningShop) -> None:
    headers = shop.gateway.authorization(ADMIN, audience="account")
    assert told(ask(shop.port, "/item", "GET", headers)) == UNAUTHORIZED


def test_a_token_of_another_gateway_is_none(shop: RunningShop) -> None:
    forged = Signer([ECKey.generate_key("P-256")]).token(ADMIN, "shop").decode()
    assert told(ask(shop.port, "/item", "GET", {"Authorization": f"Bearer {forged}"})) == UNAUTHORIZED


def test_an_administrator_reads_one_item(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item(cost=1.5, type="validator", data={"text": 'é ✓ "quoted"'})
    shown = f'{{"id":"{item}","cost":1.5,"type":"validator","data":{{"text":"é ✓ \\"quoted\\""}}}}'
    assert told(shop.ask(f"/item/{item}", ADMIN)) == (200, f'{{"metadata":{{}},"data":{shown}}}'.encode())


@pytest.mark.parametrize("item", [UNKNOWN, "abc", "%00", "a%20b", "x" * 500])
def test_an_unknown_item_is_404_whatever_its_id_looks_like(shop: RunningShop, item: str) -> None:
    assert told(shop.ask(f"/item/{item}", ADMIN)) == NOT_FOUND


def test_an_item_that_was_not_bought_hides_its_data(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    assert data(shop.ask(f"/item/bought/{item}", user("guest"))) == {
        "id": item,
        "cost": 10,
        "type": "hint",
        "data": None,
    }


def test_a_bought_item_shows_its_data_to_its_buyer_alone(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer, other = monolith.add_item(), monolith.add_user(), monolith.add_user()
    monolith.add_purchase(buyer, item)
    seen = [data(shop.ask(f"/item/bought/{item}", user("guest", subject=who))) for who in (buyer, other)]
    assert [item["data"] for item in seen if isinstance(item, dict)] == [{"text": "a hint"}, None]


def test_a_deleted_purchase_no_longer_counts(shop: RunningShop, monolith: MonolithFile) -> None:
    item, buyer = monolith.add_item(), monolith.add_user()
    monolith.add_purchase(buyer, item, deleted_at=datetime.now(UTC))
    assert shop.ask(f"/item/bought/{item}", user(subject=buyer)).body.endswith(b'"data":null}}')


def test_an_administrator_too_has_to_buy(shop: RunningShop, monolith: MonolithFile) -> None:
    assert shop.ask(f"/item/bought/{monolith.add_item()}", ADMIN).body.endswith(b'"data":null}}')


@pytest.mark.parametrize(
    "item", ["abc", "%00", "@me", UNKNOWN[:-1], UNKNOWN + "0", "{" + UNKNOWN, UNKNOWN.replace("0", "g")]
)
def test_a_bought_item_whose_id_postgresql_refuses_is_500(shop: RunningShop, item: str) -> None:
    assert told(shop.ask(f"/item/bought/{item}", ADMIN)) == STORE_FAILED


def test_other_spellings_of_an_id_are_ids_of_nothing(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item("abcdefab-cdef-4abc-8def-abcdefabcdef")
    for spelling in (item.upper(), f"%7B{item}%7D", item.replace("-", "")):
        assert told(shop.ask(f"/item/bought/{spelling}", ADMIN)) == NOT_FOUND


@pytest.mark.parametrize("target", ["/ITEM/{}", "/item/{}/", "/Item/{}/?x=1", "/item/%{:02x}{}"])
def test_paths_have_any_case_a_slash_at_the_end_and_encoded_ids(
    shop: RunningShop, monolith: MonolithFile, target: str
) -> None:
    item = monolith.add_item()
    spelled = target.format(ord(item[0]), item[1:]) if "%" in target else target.format(item)
    assert shop.ask(spelled, ADMIN).status == 200


@pytest.mark.parametrize("target", ["/item/%zz", "/item/%", "/item/bought/%C3", "/item/%ED%A0%80"])
def test_an_id_that_cannot_be_decoded_is_400_before_the_guards(shop: RunningShop, target: str) -> None:
    raw = target.rpartition("/")[2]
    body = f'{{"statusCode":400,"message":"Failed to decode param \'{raw}\'","error":"Bad Request"}}'
    assert told(shop.ask(target, NOBODY)) == (400, body.encode())


@pytest.mark.parametrize("target", ["/", "/items", "/item//", "//item", "/item/a/b", "/nope?a=%zz", "/nope?"])
def test_what_is_no_route_is_404_with_its_target(shop: RunningShop, target: str) -> None:
    body = json.dumps(
        {"statusCode": 404, "message": f"Cannot GET {target}", "error": "Not Found"}, separators=(",", ":")
    )
    assert told(shop.ask(target, ADMIN)) == (404, body.encode())
    assert shop.ask("/item/x", ADMIN, method="PUT").body == body.replace(f"GET {target}", "PUT /item/x").encode()


def test_head_is_get_without_the_body(shop: RunningShop, monolith: MonolithFile) -> None:
    target = f"/item/{monolith.add_item()}"
    head, get = (shop.ask(target, ADMIN, method=method) for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert _steady(head.headers) == _steady(get.headers)


def test_a_copy_that_is_still_right_is_304(shop: RunningShop, monolith: MonolithFile) -> None:
    item = monolith.add_item()
    tag = shop.ask(f"/item/{item}", ADMIN).headers["etag"]
    for method in ("GET", "HEAD"):
        answer = shop.ask(f"/item/{item}", ADMIN, method=method, headers={"If-None-Match": tag})
        assert told(answer) == (304, b"")
        assert answer.headers["etag"] == tag
        assert not {"content-type", "content-length"} & answer.headers.keys()
    monolith.change_item(item, cost=11)
    assert shop.ask(f"/item/{item}", ADMIN, headers={"If-None-Match": tag}).status == 200


def test_options_is_204_for_everybody_and_everywhere(shop: RunningShop) -> None:
    for target in ("/item", "/nope"):
        answer = ask(shop.port, target, "OPTIONS", {"Content-Type": "application/json"}, b"{bad")
        assert told(answer) == (204, b"")


@pytest.mark.parametrize(
    ("headers", "body", "answer"),
    [
        ({"Content-Type": "application/json"}, b"{bad", "Unexpected token b in JSON at position 1"),
        ({"Content-Type": "application/json"}, b'"text"', 'Unexpected token \\" in JSON at position 0'),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, b"[1,", "Unexpected end of JSON input"),
    ],
)
def test_a_bad_body_is_refused_before_the_route_is_looked_for(
    shop: RunningShop, headers: dict[str, str], body: bytes, answer: str
) -> None:
    wanted = f'{{"statusCode":400,"message":"{answer}","error":"Bad Request"}}'.encode()
    for target in ("/item", "/nope", "/item/%zz"):
        assert told(shop.ask(target, NOBODY, headers=headers, body=body)) == (400, wanted)


@pytest.mark.parametrize(
    "page",
    ["page=-1", "limit=101", "limit=-1", "page=1&limit=101", "limit=999999999999999999999", f"limit={'9' * 5000}"],
)
def test_a_page_out_of_range_is_400(shop: RunningShop, page: str) -> None:
    assert told(shop.ask(f"/item?{page}", ADMIN)) == BAD_REQUEST


@pytest.mark.parametrize("order", ["order-by=cost:sideways", "order-by=cost:asc&order-by=cost:asc", "order-by[]=cost"])
def test_an_order_that_the_monolith_trips_over_is_its_uncaught_500(shop: RunningShop, order: str) -> None:
    assert told(shop.ask(f"/item?{order}", ADMIN)) == UNEXPECTED


def test_a_filter_that_is_no_text_is_500(shop: RunningShop) -> None:
    assert told(shop.ask("/item?type[a]=hint", ADMIN)) == STORE_FAILED


def _steady(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "date"}
