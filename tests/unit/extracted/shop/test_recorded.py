"""The shop answers what the real monolith answered, to the byte, where the recording asked for what the shop serves.

The whole conversation about items and transactions is played in its order; purchases, which are not extracted, are made
in the monolith's table.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from tests.recordings.replay import Message, Replay, Step, load
from tests.support.monolith_file import MonolithFile
from tests.unit.extracted.shop.running import RunningShop

STEPS = {step.name: step for step in load(Path(__file__).parents[3] / "recordings" / "production.jsonl")}
BUY = "/item/buy/"
OURS = [
    step
    for step in STEPS.values()
    if step.target.startswith(("/item", "/transactions")) and not step.target.startswith(BUY)
]
PURCHASES = [step for step in STEPS.values() if step.target.startswith(BUY) and step.response.status == 201]
ROLES = {
    "4c75e3f0-d974-40dd-8e6c-27e29c1df764": ("admin",),
    "cc398a7c-0fe4-406c-8ef5-4552b5d82a21": ("guest", "user"),
    "e44adca0-47d9-49d0-abd9-5e771ad3676b": ("guest",),
}
"""Of the recorded users."""

OF_EVERY_PATH = [
    "root", "unknown-post", "unknown-post-badjson", "unknown-head", "cors-on-404", "logout-spa", "validate-get",
    "health-options", "preflight-delete", "preflight-no-headers", "preflight-bad-token", "signup-badjson",
    "signup-badjson-2", "signup-json-string", "signup-big",
]  # fmt: skip
PER_CONNECTION = {"connection", "keep-alive"}


@pytest.fixture(scope="module")
def conversation(own_shop: RunningShop, own_file: MonolithFile) -> Mapping[str, list[str]]:
    """Step → what differs."""
    replay = Replay(f"http://127.0.0.1:{own_shop.port}")
    found: dict[str, list[str]] = {}
    bought: set[tuple[str, str]] = set()
    for step in STEPS.values():
        if step in OURS:
            found[step.name] = replay.play(_as_the_gateway_sends(step, own_shop))
        elif step in PURCHASES and (purchase := _purchase(step)) not in bought:
            bought.add(purchase)
            own_file.add_purchase(purchase[0], replay.bindings.own(purchase[1]))
    replay.close()
    return found


def _purchase(step: Step) -> tuple[str, str]:
    return str(_identity(step).subject), step.target.removeprefix(BUY)


def _as_the_gateway_sends(step: Step, shop: RunningShop) -> Step:
    """With the internal token; what belongs to a connection is nobody's contract."""
    token = shop.gateway.authorization(_identity(step), "shop")
    sent = [(name, value) for name, value in step.request.headers if name != "Authorization"]
    received = [(name, value) for name, value in step.response.headers if name.lower() not in PER_CONNECTION]
    return replace(
        step,
        request=Message((*sent, *token.items()), step.request.body),
        response=Message(tuple(received), step.response.body, step.response.status),
    )


def _identity(step: Step) -> Identity:
    """What the gateway's plugin makes of the recorded credential."""
    credential = step.request.header("Authorization")
    if credential is None:
        return NOBODY
    pieces = credential.split()[1].split(".")
    if len(pieces) != 3:
        return Identity(AuthenticationOutcome.REJECTED)
    claims = json.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    return Identity(AuthenticationOutcome.USER, claims["internalIdentifier"], ROLES[claims["internalIdentifier"]])


@pytest.mark.parametrize("step", [step.name for step in OURS])
def test_a_recorded_step_of_items_and_transactions(conversation: Mapping[str, list[str]], step: str) -> None:
    assert conversation[step] == []


def test_the_recording_asks_for_every_route_of_the_shop() -> None:
    answered = {f"{step.method} {step.target.count('/')} {step.response.status}" for step in OURS}
    assert {"POST 1 201", "GET 1 200", "GET 2 200", "PATCH 2 200", "DELETE 2 200", "GET 3 200"} <= answered
    assert (len(OURS), len({_purchase(step) for step in PURCHASES})) == (42, 2)


@pytest.mark.parametrize("name", OF_EVERY_PATH)
def test_a_recorded_answer_that_no_route_makes(own_shop: RunningShop, name: str) -> None:
    step = STEPS[name]
    headers = {name: value for name, value in step.request.headers if name != "Authorization"}
    body = step.request.body.encode() or None
    answer = own_shop.ask(step.target, method=step.method, headers=headers, body=body)
    wanted = {name.lower(): value for name, value in step.response.headers}
    assert (answer.status, answer.body.decode()) == (step.response.status, step.response.body)
    assert _lasting(answer.headers) == _lasting(wanted)


def _lasting(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in PER_CONNECTION | {"date"}}
