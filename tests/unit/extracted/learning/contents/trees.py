"""Contents as their users and their store see them, and whether each node has exactly one place."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bson import ObjectId

from chassis.auth.claims import AuthenticationOutcome, Identity
from legacy_adapter.documents.port import Document
from legacy_adapter.learning.trees import named
from tests.parity.learning.lessons import CONTENT
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.running import Answer, Gateway, RunningService, running_service

ADMIN = Identity(AuthenticationOutcome.USER, "7d4c9f0e-6a52-4f0c-9f3e-0d6a3f2b1c5e", ("admin",))
READER = Identity(AuthenticationOutcome.USER, "0f7e1c7a-0e51-4f9e-8a53-6f0a4b1d2c3e", ("guest", "user"))
TOKEN = "an-operator-token-of-the-test-run"
JSON = {"Content-Type": "application/json"}


@contextmanager
def running_learning(file: MonolithData, gateway: Gateway, **settings: str) -> Iterator[RunningService]:
    more = {"DOCUMENTS_URL": file.documents_url} if file.documents_url else {}
    with running_service("learning", file.url, gateway, OPERATOR_TOKEN=TOKEN, **more, **settings) as learning:
        yield learning


def send(learning: RunningService, method: str, target: str, body: object = None, who: Identity = ADMIN) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    return learning.ask(target, who, method=method, headers=JSON, body=content)


def data_of(answer: Answer) -> Any:
    assert answer.status < 300, answer.body
    return json.loads(answer.body)["data"]


def add(learning: RunningService, **fields: Any) -> dict[str, Any]:
    """A new content."""
    content: dict[str, Any] = data_of(send(learning, "POST", "/content", CONTENT | fields))
    return content


def changed(content: Mapping[str, Any]) -> dict[str, Any]:
    """A change with a new node, a changed node and a removed one of both kinds."""
    root = content["rootComponent"]
    markdown, editor = root["data"]["components"]
    validator = CONTENT["rootComponent"]["data"]["components"][1]["data"]["validators"][0]
    tests = [editor["data"]["validators"][0] | {"isHidden": True}, validator]
    nodes = [editor | {"data": editor["data"] | {"validators": tests}}, {"type": "markdown", "data": {}}]
    assert markdown not in nodes
    return CONTENT | {"name": "Changed", "rootComponent": root | {"data": root["data"] | {"components": nodes}}}


def without_ids(value: Any) -> Any:
    """A tree as a body names it, without ids and empty objects."""
    match value:
        case dict():
            kept = {name: without_ids(item) for name, item in value.items() if name != "id"}
            return {name: item for name, item in kept.items() if item != {}}
        case list():
            return [without_ids(item) for item in value]
        case _:
            return value


def loose(file: MonolithData) -> tuple[set[str], set[str]]:
    """Nodes that no content reaches, and nodes that a content shows and that have no document."""
    documents = {kind: {one["id"]: _plain(one) for one in file.documents(kind)} for kind in ("component", "validator")}
    roots = {content["rootComponent"]["$oid"] for content in file.documents("content")}
    shown: set[str] = set()
    for component in documents["component"].values():
        if str(component["_id"]) in roots:
            shown |= {component["id"], *(copy["id"] for _, copy in named(component))}
    there = documents["component"].keys() | documents["validator"].keys()
    return there - shown, shown - there


def _plain(document: dict[str, Any]) -> Document:
    return document | {"_id": ObjectId(document["_id"]["$oid"])}
