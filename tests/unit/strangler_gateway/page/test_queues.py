"""Queues of services on the page: shown to all, acted on by operators, whatever a service answers."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from strangler_gateway.admin.app import admin_app
from strangler_gateway.admin.desk import AdminDesk
from strangler_gateway.page.app import OperatorsPage
from tests.support.gateway.administered import OPERATOR, READER, settings, shown
from tests.support.gateway.migrating import World
from tests.support.origins import Answer, Origin, Request, origin

SITE = "http://127.0.0.1:8081"
TOKEN = "of-the-service-alone"
QUEUE = {
    "name": "letters <i>",
    "waiting": 1200,
    "oldest_s": 61,
    "state": "stuck",
    "says": "<script>alert(1)</script>",
    "parked": [{"id": "a/b?", "what": "paid.v1", "why": "<b>unreadable", "at": "2026-11-30T21:00:00Z"}],
    "actions": [{"name": "retry", "path": "/internal/parked/{id}/retry", "warns": "<i>twice"}],
}
WANTED = {"service": "items", "queue": "letters <i>", "id": "a/b?", "action": "retry"}


@dataclass
class Served:
    """A service with a queue, and the page of a gateway that asks it."""

    service: Origin
    app: Any
    answers: dict[bytes, Answer] = field(default_factory=dict)

    async def as_(self, credential: str) -> httpx.AsyncClient:
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=SITE, headers={"Origin": SITE}, follow_redirects=True
        )
        await http.post("/ui/login", data={"credential": credential, "name": "ada"})
        return http

    def told(self, content: object, status: int = 200) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answers[b"GET"] = Answer(status, body)


@pytest.fixture
async def served(world: World, tmp_path: Path) -> AsyncIterator[Served]:
    answers: dict[bytes, Answer] = {b"POST": Answer(200, b"{}")}
    secret = tmp_path / "token"
    secret.write_text(TOKEN + "\n")

    def handler(request: Request) -> Answer:
        return answers[request.method]

    async with origin(handler) as service:
        rules = f'operators: {{path: /internal/queues, token_file: "{secret}"}}'
        world.edit('items: {url: "http://127.0.0.1:8102"}', f'items: {{url: "{service.url}", {rules}}}')
        migration = await world.started()
        desk = AdminDesk(shown(world, settings()), migration)
        it = Served(service, admin_app(desk, OperatorsPage(desk).routes), answers)
        it.told({"queues": [QUEUE]})
        yield it


async def test_all_see_the_queues_and_an_operator_alone_has_a_button(served: Served) -> None:
    reader, operator = await served.as_(READER), await served.as_(OPERATOR)
    page = (await reader.get("/ui/services")).text
    assert "1.2k" in page
    assert "1 min 1 s" in page
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "<b>unreadable" not in page
    assert "/ui/queue" not in page
    assert "/ui/queue" in (await operator.get("/ui/services")).text
    view = {one["name"]: one["operators"] for one in (await reader.get("/ui/services?json=1")).json()["services"]}
    assert view["monolith"] is None
    assert (view["items"]["problem"], view["items"]["queues"][0]["parked"][0]["id"]) == (None, "a/b?")
    assert {one.fields[b"authorization"] for one in served.service.requests} == {b"Bearer " + TOKEN.encode()}
    api = await reader.get("/queues", headers={"Authorization": f"Bearer {READER}"})
    assert api.json()["services"]["items"] == view["items"]


async def test_a_click_is_confirmed_with_a_why_and_told_to_the_service(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    operator = await served.as_(OPERATOR)
    confirm = (await operator.get("/ui/queue", params=WANTED)).text
    token = re.search(r'name="form_token" value="([^"]+)"', confirm)
    assert token is not None
    form = {**WANTED, "form_token": token[1]}
    assert "&lt;i&gt;twice" in confirm
    assert [one.method for one in served.service.requests] == [b"GET"]
    assert "say why" in (await operator.post("/ui/queue", data={**form, "why": " "})).text
    assert "another log-in" in (await operator.post("/ui/queue", data={**WANTED, "why": "x"})).text
    assert {one.method for one in served.service.requests} == {b"GET"}
    page = (await operator.post("/ui/queue", data={**form, "why": "the bug is fixed"})).text
    assert "retry of a/b? in letters &lt;i&gt; of items: done." in page
    (done,) = [one for one in served.service.requests if one.method == b"POST"]
    assert (done.target, done.fields[b"authorization"]) == (
        b"/internal/parked/a%2Fb%3F/retry",
        b"Bearer " + TOKEN.encode(),
    )
    said = json.loads(done.body)
    assert (said["why"], said["by"].partition(" ")[0]) == ("the bug is fixed", "ada")
    assert "by ada" in caplog.text
    assert TOKEN not in caplog.text + page


async def test_a_reader_cannot_act_and_what_is_not_parked_is_not_touched(served: Served) -> None:
    reader, operator = await served.as_(READER), await served.as_(OPERATOR)
    assert "form_token" not in (await reader.get("/ui/queue", params=WANTED)).text
    assert (await reader.post("/ui/queue", data={**WANTED, "why": "x"})).status_code == 403
    api = {"Authorization": f"Bearer {READER}"}
    assert (await reader.post("/queues", json={**WANTED, "why": "x"}, headers=api)).status_code == 403
    api = {"Authorization": f"Bearer {OPERATOR}"}
    for changed, status in (
        ({"id": "gone"}, 409),
        ({"queue": "other"}, 409),
        ({"action": "drop"}, 422),
        ({"service": "monolith"}, 404),
        ({"service": "nobody"}, 404),
    ):
        answer = await operator.post("/queues", json={**WANTED, "why": "x", **changed}, headers=api)
        assert answer.status_code == status, answer.text
    assert {one.method for one in served.service.requests} == {b"GET"}
    served.answers[b"POST"] = Answer(409, b'{"error": "it is under way"}')
    answer = await operator.post("/queues", json={**WANTED, "why": "x"}, headers=api)
    assert (answer.status_code, answer.json()["message"]) == (409, "items refuses it (409): it is under way")


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"tell-nobody", 200, "cannot be read: the answer"),
        ({"queues": [{"name": "a", "waiting": -1}]}, 200, "queues.0.waiting"),
        (b" " * 300_000, 200, "more than 262144 bytes"),
        ({"error": "tell-nobody"}, 401, "answered 401 to /internal/queues: check the token"),
        ({}, 302, "answered 302"),
    ],
)
async def test_another_answer_is_a_sentence_on_the_page(
    served: Served, content: object, status: int, said: str
) -> None:
    served.told(content, status)
    page = await (await served.as_(READER)).get("/ui/services")
    assert page.status_code == 200
    assert said in page.text
    assert "tell-nobody" not in page.text


async def test_without_a_token_nobody_is_asked(served: Served, tmp_path: Path) -> None:
    reader = await served.as_(READER)
    for content in ("", "two words", "é"):
        (tmp_path / "token").write_text(content)
        assert "holds no token" in (await reader.get("/ui/services")).text
    (tmp_path / "token").unlink()
    assert "No such file" in (await reader.get("/ui/services")).text
    assert served.service.requests == []
