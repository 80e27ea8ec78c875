"""One request is answered with several calls, each decided as a request of its own."""

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest

from chassis.service.metrics import rendered
from strangler_gateway.admin.views import explanation
from strangler_gateway.config.file import RoutesInvalid, load
from strangler_gateway.gateway import Gateway
from strangler_gateway.steps.explain import explain
from strangler_gateway.table.bucket import bucket
from strangler_gateway.telemetry.metrics_page import request_metrics
from tests.support.gateway.aggregating import ROUTES, World, aggregating, enveloped, text
from tests.support.gateway.publishing import SECRET, bearer
from tests.support.origins import Answer, until

EMAILS, TEAM_0 = b"/user/u%201/email?all", b"/team/0"
JSON = ((b"Content-Type", b"application/json"),)
WHOLE = {
    "user": {"id": "u 1", "rank": 3},
    "emails": [{"email": "ada@example.org"}],
    "teams": [{"id": "0", "name": "team 0"}, {"id": "1", "name": "team 1"}],
    "first": "team 0",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET.decode())


@pytest.fixture
def world() -> World:
    return World()


async def overview(client: httpx.AsyncClient, user: str = "ada", **fields: str) -> httpx.Response:
    return await client.get("/me/overview", headers={**bearer(user), **fields})


async def data_and_marks(client: httpx.AsyncClient) -> tuple[Any, Any]:
    answer = await overview(client)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["data"], body["metadata"]["marks"]


async def all_ended(gateway: Gateway) -> bool:
    """Waits until no upstream works for anybody: its connections are idle, or closed."""
    balancers = [gateway.upstreams.pool(service) for service in gateway.current.table.services.values()]
    pools = [pool for balancer in balancers for pool in balancer.pools]
    await until(lambda: not any(pool.active or pool.open > len(pool.idle) for pool in pools))
    return True


@pytest.mark.parametrize("users", ["legacy", "shadow", "canary", "extracted", "retired"])
@pytest.mark.parametrize("teams", ["legacy", "extracted"])
async def test_each_call_goes_to_the_side_of_its_own_group_and_the_answer_is_the_same(
    world: World, users: str, teams: str
) -> None:
    async with aggregating(world, USERS=users, TEAMS=teams) as (client, gateway):
        answer = await overview(client)
        assert (answer.status_code, answer.json()) == (200, {"metadata": {"marks": {}}, "data": WHOLE})
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        sides = {target.partition(b"/")[2].partition(b"/")[0]: side for side, target in world.asked}
        assert sides[b"team"] == ("account" if teams == "extracted" else "monolith")
        own = await client.get("/user/@me", headers=bearer())
        assert own.status_code == 200
        assert sides[b"user"] == world.asked[-1][0]
        assert gateway.outside.stats.route("team").aggregated == 2


async def test_a_call_carries_what_the_client_says_of_itself_and_nothing_about_the_answer(world: World) -> None:
    said = {
        "Accept-Language": "fr",
        "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "X-Request-Id": "req-1",
        "Cookie": "a=b",
    }
    unsaid = {
        "If-None-Match": '"x"',
        "Range": "bytes=0-1",
        "Accept": "text/html",
        "X-Hop": "1",
        "Connection": "keep-alive, X-Hop",
        "Strangler-Debug": "let me see",
        "Strangler-Override": "extracted",
    }
    async with aggregating(world, USERS="canary", TEAMS="extracted") as (client, _):
        answer = await overview(client, **said, **unsaid)
        assert answer.status_code == 200
        assert len(world.requests) == 5
        for request in world.requests:
            for name, value in said.items():
                assert request.fields[name.lower().encode()] == value.encode()
            assert request.method == b"GET"
            assert request.fields[b"accept"] == b"application/json"
            assert request.fields[b"accept-encoding"] == b"identity"
            assert request.fields[b"host"] == client.base_url.netloc
            assert request.fields[b"x-forwarded-for"] == b"127.0.0.1"
            assert not request.fields.keys() & {name.lower().encode() for name in unsaid} - {b"accept"}


async def test_a_service_gets_its_internal_token_and_the_monolith_what_the_client_sent(world: World) -> None:
    said = bearer()
    async with aggregating(world, TEAMS="extracted") as (client, _):
        assert (await client.get("/me/overview", headers=said)).status_code == 200
        fields = [request.fields[b"authorization"] for request in world.requests]
        sent = {side: value for (side, _), value in zip(world.asked, fields, strict=True)}
        assert sent["monolith"] == said["Authorization"].encode()
        assert sent["account"].startswith(b"Bearer ey")
        assert sent["account"] != said["Authorization"].encode()


@pytest.mark.parametrize(
    ("odd", "mark"),
    [
        (text(500, b"<h1>secret trace</h1>"), {"reason": "status", "status": 500}),
        (text(302, b"", (b"Location", b"/elsewhere")), {"reason": "status", "status": 302}),
        (text(200, b"<h1>hello</h1>"), {"reason": "not_json"}),
        (Answer(200, b'{"data": [1'), {"reason": "not_json"}),
        (Answer(200, b'{"data": [NaN]}'), {"reason": "not_json"}),
        (Answer(200, b'{"data": [1e999]}'), {"reason": "not_json"}),
        (Answer(200, b'{"data": 1, "data": 2}'), {"reason": "not_json"}),
        (Answer(200, b'{"data": "\xff"}'), {"reason": "not_json"}),
        (Answer(200, b'{"data": ' + b"[" * 70 + b"]" * 70 + b"}"), {"reason": "not_json"}),
        (Answer(200, b"[" * 1000), {"reason": "not_json"}),
        (Answer(200, b'{"dates": []}'), {"reason": "missing"}),
        (enveloped("x" * 1025), {"reason": "too_long"}),
        (
            text(
                200,
                gzip.compress(json.dumps({"data": "x" * 2000}).encode()),
                (b"Content-Type", b"application/json"),
                (b"Content-Encoding", b"gzip"),
            ),
            {"reason": "too_long"},
        ),
        (
            text(200, b"{}", (b"Content-Type", b"application/json"), (b"Content-Encoding", b"br")),
            {"reason": "not_json"},
        ),
    ],
)
async def test_a_call_that_fails_is_marked_and_its_fallback_stands_for_it(
    world: World, odd: Answer, mark: dict[str, object]
) -> None:
    world.odd[EMAILS] = odd
    async with aggregating(world) as (client, gateway):
        assert await data_and_marks(client) == (WHOLE | {"emails": []}, {"emails": mark})
        told = rendered(*request_metrics(gateway.outside.stats, gateway.current.table))
        assert f'strangler_aggregate_calls_total{{route="overview",call="emails",result="{mark["reason"]}"}} 1' in told
        assert 'strangler_aggregated_total{route="emails"} 1' in told


async def test_a_coded_answer_is_decoded(world: World) -> None:
    coded = gzip.compress(json.dumps({"data": ["coded"]}).encode())
    world.odd[EMAILS] = text(200, coded, (b"Content-Type", b"application/hal+json"), (b"Content-Encoding", b"gzip"))
    async with aggregating(world) as (client, _):
        assert await data_and_marks(client) == (WHOLE | {"emails": ["coded"]}, {})


async def test_a_service_that_is_away_is_marked_and_in_canary_the_monolith_stands_in(world: World) -> None:
    async with aggregating(world, TEAMS="extracted", ACCOUNT_PORT="1") as (client, _):
        data, marks = await data_and_marks(client)
        assert data == WHOLE | {"teams": [None, None], "first": None}
        assert marks == {"teams": {"failed": [{"index": at, "reason": "unreachable"} for at in (0, 1)]}}
    world.asked.clear()
    async with aggregating(world, TEAMS="canary", ACCOUNT_PORT="1") as (client, gateway):
        for number in range(20):
            answer = await overview(client, user=f"user-{number}")
            assert answer.json()["data"] == WHOLE
        assert gateway.outside.stats.route("team").failovers > 0


async def test_of_many_elements_twenty_are_asked_for_and_the_rest_is_marked(world: World) -> None:
    world.teams = 25
    world.odd[b"/team/3"] = Answer(404, b'{"message":"gone"}')
    async with aggregating(world) as (client, _):
        data, marks = await data_and_marks(client)
        assert [team and team["id"] for team in data["teams"]] == [*"012", None, *map(str, range(4, 20))]
        assert marks == {
            "teams": {
                "failed": [{"index": 3, "reason": "status", "status": 404}],
                "truncated": {"of": 25, "taken": 20},
            }
        }


@pytest.mark.parametrize(
    ("teams", "mark"),
    [
        ([{"id": ".."}], {"failed": [{"index": 0, "reason": "missing"}]}),
        ([{"id": None}], {"failed": [{"index": 0, "reason": "missing"}]}),
        ([{"id": True}], {"failed": [{"index": 0, "reason": "missing"}]}),
        ([{"id": "x" * 257}], {"failed": [{"index": 0, "reason": "missing"}]}),
        ([{"id": "\ud800"}], {"failed": [{"index": 0, "reason": "missing"}]}),
        ([7], {"failed": [{"index": 0, "reason": "missing"}]}),
        ({"id": 1}, {"reason": "missing"}),
    ],
)
async def test_a_value_that_may_not_stand_in_a_path_is_never_sent(world: World, teams: object, mark: object) -> None:
    world.odd[b"/user/@me/teams"] = enveloped({"teams": teams})
    async with aggregating(world) as (client, _):
        data, marks = await data_and_marks(client)
        assert (data["teams"] in ([None], None), marks) == (True, {"teams": mark})
        assert not [target for _, target in world.asked if target.startswith(b"/team")]


async def test_a_value_cannot_leave_its_segment(world: World) -> None:
    world.odd[b"/user/@me/teams"] = enveloped({"teams": [{"id": "../user/1?x#y é"}]})
    async with aggregating(world) as (client, _):
        await data_and_marks(client)
        assert ("monolith", b"/team/..%2Fuser%2F1%3Fx%23y%20%C3%A9") in world.asked


async def test_a_call_behind_a_failed_one_is_not_made(world: World) -> None:
    world.odd[b"/user/@me/teams"] = Answer(500, b"{}")
    async with aggregating(world) as (client, _):
        data, marks = await data_and_marks(client)
        assert data["teams"] is None
        assert marks == {"memberships": {"reason": "status", "status": 500}, "teams": {"reason": "not_called"}}


@pytest.mark.parametrize(
    ("odd", "status", "body"),
    [
        (Answer(401, b'{"message":"Unauthorized"}'), 401, {"message": "Unauthorized"}),
        (Answer(403, b'{"statusCode":403,"message":"Forbidden"}'), 403, {"statusCode": 403, "message": "Forbidden"}),
        (text(404, b"<h1>none</h1>"), 404, {"statusCode": 404, "message": "Not Found", "error": "Not Found"}),
        (Answer(500, b'{"message":"trace"}'), 502, None),
        (Answer(204, b""), 502, None),
        (Answer(200, b'{"data": [1'), 502, None),
    ],
)
async def test_the_refusal_of_a_required_call_is_the_answer(
    world: World, odd: Answer, status: int, body: object
) -> None:
    world.odd[b"/user/@me"] = odd
    async with aggregating(world) as (client, gateway):
        answer = await overview(client)
        assert answer.status_code == status
        assert body is None or answer.json() == body
        assert "trace" not in answer.text
        assert answer.headers["access-control-allow-origin"] == "*"
        assert gateway.outside.stats.route("overview").errors_extracted == (status >= 500)


async def test_a_required_call_without_an_answer_is_502_and_a_late_one_504(world: World) -> None:
    async with aggregating(world, USERS="extracted", ACCOUNT_PORT="1") as (client, _):
        assert (await overview(client)).status_code == 502
    world.held[b"/user/@me"] = asyncio.Event()
    async with aggregating(world, DEADLINE_S="0.05") as (client, gateway):
        answer = await overview(client)
        assert (answer.status_code, "http_response_timeout" in answer.headers["proxy-status"]) == (504, True)
        assert gateway.outside.stats.route("user").unanswered_legacy == 1
        assert await all_ended(gateway)


async def test_a_slow_call_is_given_up_and_ended_at_its_upstream(world: World) -> None:
    world.held[EMAILS] = asyncio.Event()
    async with aggregating(world, TIMEOUT_S="0.05") as (client, gateway):
        assert await data_and_marks(client) == (WHOLE | {"emails": []}, {"emails": {"reason": "timeout"}})
        assert await all_ended(gateway)


async def test_when_the_client_leaves_its_calls_are_ended(world: World) -> None:
    world.held[EMAILS] = world.held[TEAM_0] = asyncio.Event()
    async with aggregating(world) as (client, gateway):
        asking = asyncio.create_task(overview(client))
        await until(lambda: {EMAILS, TEAM_0} <= {target for _, target in world.asked})
        asking.cancel()
        stats = gateway.outside.stats
        await until(lambda: stats.route("overview").client_gone == 1)
        await until(lambda: stats.route("emails").client_gone == 1 and stats.route("team").client_gone >= 1)
        assert await all_ended(gateway)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_all_answers_together_are_bounded(world: World, coding: str) -> None:
    world.teams = 20
    for number in range(20):
        body = enveloped({"id": number, "text": "x" * 1000}).body
        fields = ((b"Content-Type", b"application/json"), (b"Content-Encoding", coding.encode()))
        world.odd[b"/team/%d" % number] = Answer(200, gzip.compress(body) if coding == "gzip" else body, fields)
    async with aggregating(world) as (client, _):
        answer = await overview(client)
        reasons = [one["reason"] for one in answer.json()["metadata"]["marks"]["teams"]["failed"]]
        assert set(reasons) == {"too_long"}
        assert 10 <= len(reasons) <= 14


@pytest.mark.parametrize("state", ["legacy", "shadow"])
async def test_in_legacy_the_monolith_answers_even_where_it_never_had_the_route(world: World, state: str) -> None:
    async with aggregating(world, OVERVIEW=state) as (client, _):
        answer = await overview(client)
        assert (answer.status_code, answer.json()) == (404, {"message": "Cannot GET"})
        assert world.asked == [("monolith", b"/me/overview")]


async def test_in_canary_a_share_of_the_users_gets_the_aggregate(world: World) -> None:
    async with aggregating(world, OVERVIEW="canary") as (client, _):
        got = [(await overview(client, user=f"user-{n}")).status_code for n in range(40)]
        assert 5 < got.count(200) < 35
        assert got.count(200) + got.count(404) == 40


async def test_head_preflight_and_a_body_are_no_calls_of_their_own(world: World) -> None:
    async with aggregating(world) as (client, _):
        whole = await overview(client)
        head = await client.head("/me/overview", headers=bearer())
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
        asked = {"Origin": "https://spa.example", "Access-Control-Request-Method": "GET"}
        preflight = await client.options("/me/overview", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, "*")
        with_body = await client.request("GET", "/me/overview", headers=bearer(), content=b"ignored")
        assert with_body.json() == whole.json()
        assert all(request.fields.get(b"content-length") is None for request in world.requests)


async def test_explain_tells_where_each_call_would_go(world: World) -> None:
    async with aggregating(world, USERS="canary", TEAMS="extracted") as (_, gateway):
        told = explanation(explain(gateway.current.matcher, "GET", "/me/overview", "user-1"))
        assert (told["side"], told["service"], told["reason"]) == ("extracted", None, "state_extracted")
        assert told["aggregate"] == "calls user, emails, memberships, teams"
        seen = {call["name"]: (call["path"], call["each"], call["side"], call["reason"]) for call in told["calls"]}
        assert seen["teams"] == ("/team/{each:/id}", "{memberships:/teams}", "extracted", "state_extracted")
        assert seen["user"][2:] == (
            ("extracted", "share_in") if bucket("s", b"user-1") < 5000 else ("legacy", "share_out")
        )
        assert seen["emails"][0] == "/user/{user:/id}/email?all"
    async with aggregating(world, OVERVIEW="legacy") as (_, gateway):
        told = explanation(explain(gateway.current.matcher, "GET", "/me/overview", "user-1"))
        assert (told["side"], told["service"], told["aggregate"], told["calls"]) == ("legacy", "monolith", None, [])


async def test_requests_of_every_form_are_answered_in_their_order_on_one_connection(world: World) -> None:
    async with aggregating(world) as (client, _):
        host, port = str(client.base_url.host), client.base_url.port or 0
        said = f"Authorization: {bearer()['Authorization']}\r\n"
        plain = f"GET /me/overview HTTP/1.1\r\nHost: a.example\r\n{said}\r\n"
        absolute = f"GET http://b.example/me/overview HTTP/1.1\r\nHost: c.example\r\n{said}\r\n"
        old = f"GET /me/overview HTTP/1.0\r\nHost: d.example\r\n{said}\r\n"
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((plain + absolute + old).encode())
        async with asyncio.timeout(30):
            answers = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
        writer.close()
        assert [json.loads(answer.partition(b"\r\n\r\n")[2])["data"] for answer in answers] == [WHOLE] * 3
        hosts = [request.fields[b"host"] for request in world.requests]
        assert hosts == [b"a.example"] * 5 + [b"b.example"] * 5 + [b"d.example"] * 5
        assert {request.fields[b"via"].partition(b" ")[0] for request in world.requests[10:]} == {b"1.0"}


async def test_an_answer_that_breaks_off_is_unreachable_and_not_half_a_value(world: World) -> None:
    world.odd[b"/team/1"] = Answer(200, b'{"data": {"id": 1}}', (*JSON, (b"Content-Length", b"99")))
    async with aggregating(world) as (client, _):
        data, marks = await data_and_marks(client)
        assert data["teams"] == [WHOLE["teams"][0], None]  # type: ignore[index]  # JSON
        assert marks == {"teams": {"failed": [{"index": 1, "reason": "unreachable"}]}}


@pytest.mark.parametrize("limit", ["user", "address"])
async def test_a_call_counts_for_the_limit_of_its_own_route(world: World, limit: str) -> None:
    routes = ROUTES.replace("  - {id: team,", f"  - {{id: team, limit: {{rate: 3/minute, by: {limit}}},")
    async with aggregating(world, routes) as (client, _):
        assert await data_and_marks(client) == (WHOLE, {})
        _, marks = await data_and_marks(client)
        assert marks == {"teams": {"failed": [{"index": 1, "reason": "status", "status": 429}]}}


async def test_a_call_that_ends_at_another_aggregate_is_no_loop(world: World) -> None:
    routes = ROUTES.replace('{path: "/user/@me/teams", pointer', '{path: "/{x}/overview", pointer')
    routes = routes.replace('path: "/me/overview"', 'path: "/{x}/overview"')
    with pytest.raises(RoutesInvalid, match="which is no call to the monolith or a service"):
        load(routes, {"MONOLITH_PORT": "1", "ACCOUNT_PORT": "1"})
    routes = ROUTES.replace('path: "/user/@me/teams"', 'path: "/{call}/overview"')
    routes = routes.replace('path: "/me/overview"', 'path: "/me/overview/{call}"')
    inner = "{id: inner, match: {methods: [GET], path: /inner/overview}, legacy: monolith, state: extracted"
    taken = "- {id: taken, match: {path: '/{x}/overview'}, legacy: monolith}"
    more = f"  - {inner}, aggregate: {{calls: {{user: {{path: '/user/1'}}}}}}}}\n  {taken}\n"
    async with aggregating(world, routes.replace("  - {id: other,", f"{more}  - {{id: other,")) as (client, _):
        answer = await client.get("/me/overview/inner", headers=bearer())
        assert answer.json()["metadata"]["marks"]["memberships"] == {"reason": "status", "status": 502}
