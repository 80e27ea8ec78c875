"""Learning and the stand-in monolith over one database, with modules and contents that the monolith made."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from chassis.auth.claims import NOBODY, Identity
from tests.parity.sides import JSON, Fields, difference, documents_of, fill, identities_of, tag_of
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.support.stores import Stores
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask, running_service

MARKDOWN = {"type": "markdown", "data": {"markdown": "# é ✓"}}
VALIDATOR = {"isHidden": False, "input": {"stdin": ["1", "2"]}, "expected": {"stdout": ["3"]}}
EDITOR = {
    "type": "editor",
    "data": {
        "editorSettings": {"languages": [{"version": "18", "language": "NODE", "defaultCode": "//"}]},
        "items": ["11111111-1111-4111-8111-111111111111"],
        "validators": [VALIDATOR, VALIDATOR | {"isHidden": True}],
    },
}
TREE = {"type": "container", "data": {"components": [MARKDOWN, EDITOR], "orientation": "vertical"}}
CONTENT: dict[str, Any] = {
    "name": "Content", "description": "About it", "type": "exercise", "reward": 10, "rootComponent": TREE, "data": {},
}  # fmt: skip
MODULE: dict[str, Any] = {
    "name": "Module", "description": "", "type": "practice", "reward": 5, "tags": ["java"], "data": {"a": 1},
    "modules": [], "contents": [],
}  # fmt: skip
COLLECTIONS = ("content", "component", "validator", "module")
Documents = Mapping[str, list[dict[str, Any]]]
Body = object | Callable[[Mapping[str, Any]], object]
NOTHING_WRITTEN = json.dumps({name: [[], 0] for name in COLLECTIONS})
RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{24}\b")


@dataclass(frozen=True)
class Lessons:
    """Both sides of one database, and the credentials by the names of those who have them."""

    monolith_port: int
    learning: RunningService
    credentials: Mapping[str, str]
    identities: Mapping[str, Identity]
    file: MonolithData
    names: dict[str, str] = field(default_factory=dict)

    def ask(
        self, side: int, actor: str, target: str, method: str = "GET", body: object = None, headers: Fields = None
    ) -> Answer:
        """What the monolith (0) or Learning (1) says. A body that is no bytes goes as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = dict(headers or {}) | (JSON if body is not None and headers is None else {})
        credential = self.credentials[actor]
        if side == 0:
            own = {"Authorization": credential} if credential else {}
            return ask(self.monolith_port, target, method, sent | own, content)
        identity = self.identities[credential] if credential else NOBODY
        return self.learning.ask(target, identity, method=method, headers=sent, body=content)

    def differ(self, actor: str, target: str, method: str = "GET", body: object = None, headers: Fields = None) -> str:
        """What differs, except ids that only one side knows; "" when nothing does."""
        return difference(*(masked(self.ask(side, actor, target, method, body, headers)) for side in (0, 1)))

    def made(self, target: str, body: object, side: int = 0) -> dict[str, Any]:
        """What an administrator has created, as the answer shows it."""
        answer = self.ask(side, "admin", target, "POST", body)
        assert answer.status == 201, answer.body
        data: dict[str, Any] = json.loads(answer.body)["data"]
        return data

    def written(
        self, target: str, method: str, body: Body, made: Mapping[str, Any] | None = None
    ) -> tuple[list[Answer], list[str]]:
        """Answers and changes of documents, of both sides in turn, each on something new of its own.

        `made`: what the monolith creates first, below the target; its answer goes into `target` and `body`.
        """
        answers, changes = [], []
        for side in (0, 1):
            base = {} if made is None else self.made(target, made)
            path = target if made is None else f"{target}/{base['id']}"
            content = body(base) if callable(body) else body
            before = self.documents()
            answers.append(masked(self.ask(side, "admin", path, method, content)))
            changes.append(_changes(before, self.documents()))
        return answers, changes

    def write_differs(self, target: str, method: str, body: Body, made: Mapping[str, Any] | None = None) -> str:
        """What differs in answers or documents; "" when nothing does.

        Where the monolith refuses after its first writes, Learning has written nothing.
        """
        answers, (old, new) = self.written(target, method, body, made)
        old = old if answers[0].status < 300 else NOTHING_WRITTEN
        return difference(*answers) or ("" if old == new else f"documents: {old} / {new}")

    def documents(self) -> dict[str, list[dict[str, Any]]]:
        return {name: self.file.documents(name) for name in COLLECTIONS}


def _changes(before: Documents, after: Documents) -> str:
    """Documents that are new or changed, and how many are gone, with ids by the order in which they appear.

    No store promises an order, so the documents of a collection are ordered by what they say.
    """
    told = {
        name: [
            sorted((one for one in after[name] if one not in before[name]), key=_without_ids),
            len(before[name]) - len(after[name]),
        ]
        for name in COLLECTIONS
    }
    return with_names(json.dumps(told))


def _without_ids(document: Mapping[str, Any]) -> str:
    return RANDOM.sub("", json.dumps(document))


def with_names(text: str) -> str:
    """Random ids by the order in which they appear."""
    names: dict[str, str] = {}
    return RANDOM.sub(lambda found: names.setdefault(found[0], f"id{len(names)}"), text)


def masked(answer: Answer) -> Answer:
    """Ids by the order in which they are shown; the entity tag must be that of the own body.

    Without a body only the tag's length can be compared: it counts the bytes of what is not shown.
    """
    if not answer.body:
        return replace(answer, headers=answer.headers | {"etag": answer.headers.get("etag", "").partition("-")[0]})
    assert answer.headers["etag"] == tag_of(answer.body)
    text = with_names(answer.body.decode())
    fields = {"etag": tag_of(text.encode()), "content-length": str(len(text.encode()))}
    return Answer(answer.status, answer.headers | fields, text.encode())


@contextmanager
def running_lessons(stores: Stores, mode: str = "production", **settings: str) -> Iterator[Lessons]:
    """`mode`: production or development. `settings`: further ones of Learning."""
    gateway = Gateway()
    variables = {"AUTH_JWT_SECRET": SECRET, "NODE_ENV": mode}
    with running_monolith_on(stores, seed="demo", environ=variables) as monolith:
        file = MonolithData(stores)
        credentials = fill(file)
        more = documents_of(stores) | settings
        with running_service("learning", file.url, gateway, ENVIRONMENT=mode, **more) as learning:
            identities = asyncio.run(identities_of(file.url, credentials.values()))
            lessons = Lessons(monolith.port, learning, credentials, identities, file)
            _fill(lessons)
            yield lessons
        file.close()
    gateway.close()


def _fill(lessons: Lessons) -> None:
    """Contents and modules of every sort, some of which name others that are gone."""
    contents = [
        lessons.made("/content", CONTENT | {"name": f"Content {n}", "reward": reward, "data": data})["id"]
        for n, (reward, data) in enumerate(((1, {}), (2.5, {"a": {}}), (1e21, {"b": [{}]}), (0, {"c": None})))
    ]
    inner = lessons.made("/module", MODULE | {"name": "Inner", "contents": contents[:1], "tags": ["python"]})["id"]
    gone = lessons.made("/module", MODULE | {"name": "Gone"})["id"]
    lessons.made("/module", MODULE | {"name": "a+b (É)", "reward": 2, "tags": [], "modules": [inner, gone, inner]})
    outer = MODULE | {"name": "Outer", "reward": -1.5, "tags": ["java", "python"], "modules": [inner, gone]}
    lessons.names["module"] = lessons.made("/module", outer | {"contents": [*contents[::-1], contents[0]]})["id"]
    lessons.names.update({"inner": inner, "content": contents[0], "other": contents[1]})
    for target in (f"/module/{gone}", f"/content/{contents[3]}"):
        lessons.ask(0, "admin", target, "DELETE")
