"""The recorded conversation through the gateway gets the recorded answers in every state of the migration."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from strangler_gateway.table.bucket import bucket
from tests.recordings.conversation import (
    DIFFERS,
    OF_A_CONNECTION,
    STEPS,
    RecordedMail,
    log_in,
    mail_differences,
    play,
    recorded_mails,
)
from tests.recordings.mail_sink import MailSink, ReceivedMail
from tests.recordings.replay import Replay, Step
from tests.recordings.strangled import SAFE, WRITES, Routes, Strangled, embedded, real, strangled, with_keycloak

WALK, CONNECTED = pytest.mark.walk, pytest.mark.connected
PLAYS = (
    ("legacy", embedded, "legacy", (WALK,)),
    ("canary", embedded, "canary", ()),
    ("shadow", real, "shadow on real parts", (CONNECTED,)),
    ("canary", real, "canary on real parts", (CONNECTED,)),
    ("extracted", real, "extracted on real parts", (CONNECTED,)),
    ("canary", with_keycloak, "canary with Keycloak", (CONNECTED,)),
    ("extracted", with_keycloak, "extracted with Keycloak", (CONNECTED,)),
)
"""Each state, and each kind of parts where a service answers. In legacy nobody asks one, in shadow nobody Keycloak.

`make migration` has the embedded parts with all extracted; test_production_recording.py has the monolith on real ones.
"""


def _of(*states: str) -> list[Any]:
    return [pytest.param((state, parts), id=id, marks=marks) for state, parts, id, marks in PLAYS if state in states]


ALL_KNOWN = next(index for index, step in enumerate(STEPS) if step.name == "token-u3") + 1
"""From this step on every actor has a token."""
SEEN = ("From", "To", "Subject")
ENDS = ("compared", "failed", "skipped")
"""How a comparison ends."""
COMPARED_WITHIN_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True)
class Played:
    """The conversation as played in one state."""

    state: str
    routes: Routes
    differences: Mapping[str, list[str]]
    requests: Sequence[Mapping[str, Any]]
    shadow: Mapping[str, Mapping[str, int]]
    examples: Sequence[object]
    mails: Mapping[RecordedMail, list[str]]
    sent: int

    def moved(self) -> list[tuple[Step, Mapping[str, Any]]]:
        """The steps that a service can answer, and the request of each in the access log."""
        answered = zip(STEPS, self.requests[1:], strict=True)
        return [(step, request) for step, request in answered if self.routes.moves(step)]


@pytest.fixture(scope="module", params=_of("legacy", "shadow", "canary", "extracted"))
def played(
    request: pytest.FixtureRequest, runner_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    state, parts = request.param
    directory = tmp_path_factory.mktemp(state)
    with strangled(directory, parts(directory), state, runner_url) as system:
        replay = Replay(system.url, unheard=OF_A_CONNECTION)
        tokens = {"admin": log_in(replay)}
        differences = _play(system, state, replay, range(ALL_KNOWN))
        tokens |= _tokens(replay)
        if state == "canary":
            _divide(system, [_user(tokens[name]) for name in ("admin", "u2")], [_user(tokens[n]) for n in ("u1", "g")])
        differences |= _play(system, state, replay, range(ALL_KNOWN, len(STEPS)))
        mails = {
            mail: mail_differences(mail, _own(mail, system.sink), replay, SEEN, dead_links=False)
            for mail in recorded_mails()
        }
        replay.close()
        shadow = _compared(system, STEPS) if state == "shadow" else {}
        examples = [system.administer("GET", f"/differences?route={route}")["differences"] for route in shadow]
        sent = len(system.sink.mails)
        if parts is with_keycloak:
            differences = _apart_from_length(differences)
            sides = {"legacy": {False}, "shadow": {False}, "canary": {False, True}, "extracted": {True}}
            assert {_is_keycloaks(token) for token in tokens.values()} <= sides[state]
        yield Played(state, system.routes, differences, system.requests(), shadow, examples, mails, sent)


def _play(system: Strangled, state: str, replay: Replay, numbers: range) -> dict[str, list[str]]:
    """In shadow a write waits for comparisons, because a comparison that finds a difference reads both sides again."""
    found: dict[str, list[str]] = {}
    for number in numbers:
        if state == "shadow" and STEPS[number].method in WRITES:
            _compared(system, STEPS[:number])
        found |= play(replay, system.sink, STEPS[number : number + 1])
    return found


def _own(recorded: RecordedMail, sink: MailSink) -> ReceivedMail:
    """The mail with the same subject and place: several senders keep no order among mails to one user."""
    alike = [mail for mail in recorded_mails() if mail.recipient == recorded.recipient]
    subject = recorded.headers["Subject"]
    own = [mail for mail in sink.to(recorded.recipient, len(alike)) if mail.subject == subject]
    before = sum(mail.headers["Subject"] == subject for mail in alike if mail.nth < recorded.nth)
    return own[before]


def _tokens(replay: Replay) -> dict[str, str]:
    """This run's tokens by actor: each actor logs in with one step."""
    names = {f"token-{actor}": actor for actor in ("g", "u1", "u2", "u3")}
    bodies = {names[step.name]: json.loads(step.response.body) for step in STEPS if step.name in names}
    return {actor: replay.bindings.own(body["data"]["accessToken"]) for actor, body in bodies.items()}


def _user(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["preferred_username"] if _is_keycloaks(token) else claims["internalIdentifier"])


def _is_keycloaks(token: str) -> bool:
    header = token.split(".")[0]
    return "kid" in json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))


def _apart_from_length(differences: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Keycloak's tokens are longer than the monolith's."""
    issuing = {step.name for step in STEPS if step.target == "/auth/token" and step.response.status == 201}
    return {
        name: [text for text in found if name not in issuing or not text.startswith("content-length is")]
        for name, found in differences.items()
    }


def _divide(system: Strangled, new: list[str], old: list[str]) -> None:
    """Edits the salt in routes.yaml so that these users are on either side of 50 %, and reloads it."""
    salts = (f"canary-{number}" for number in count())
    salt = next(
        salt
        for salt in salts
        if all(bucket(salt, user.encode()) < 5000 for user in new)
        and all(bucket(salt, user.encode()) >= 5000 for user in old)
    )
    system.file.write_text(system.routes.text("canary", salt))
    reloaded = system.administer("POST", "/reload")
    assert (reloaded["faults"], reloaded["kept"]) == ([], [])
    assert system.administer("GET", "/diff")["same"]


def _compared(system: Strangled, steps: Sequence[Step]) -> dict[str, dict[str, int]]:
    """The counters of every compared route, once all comparisons of these steps have ended."""
    reads = [system.routes.route(step) for step in steps if step.method in SAFE and system.routes.moves(step)]
    wanted = Counter(route.id for route in reads if route.shadow is not None)
    deadline = time.monotonic() + COMPARED_WITHIN_S
    while True:
        routes: list[dict[str, Any]] = system.administer("GET", "/routes")["routes"]
        seen = {route["id"]: route["shadow"] for route in routes if route["id"] in wanted}
        if all(sum(seen[name][end] for end in ENDS) >= number for name, number in wanted.items()):
            return seen
        assert time.monotonic() < deadline, f"ended: {seen}, wanted {wanted}"
        time.sleep(POLL_S)


def test_every_step_is_answered_as_recorded(played: Played) -> None:
    assert {name: found for name, found in played.differences.items() if found} == DIFFERS
    assert len(played.differences) == 387


def test_every_recorded_mail_arrives_once_whoever_sends_it(played: Played) -> None:
    assert {mail: found for mail, found in played.mails.items() if found} == {}
    assert (len(played.mails), played.sent) == (14, 14)


def test_every_step_with_a_new_end_is_answered_by_the_side_of_its_state(played: Played) -> None:
    sides = {"legacy": {"legacy"}, "shadow": {"legacy"}, "canary": {"legacy", "extracted"}, "extracted": {"extracted"}}
    moved = played.moved()
    assert len(moved) > 50
    assert {request["side"] for _, request in moved} == sides[played.state]
    assert [step.name for step, request in moved if played.routes.route(step).id != request["route"]] == []


def test_nothing_else_reaches_a_service(played: Played) -> None:
    moved = {step.name for step, _ in played.moved()}
    others = zip(STEPS, played.requests[1:], strict=True)
    preflights = {step.name for step in STEPS if step.method == "OPTIONS"}
    elsewhere = [step.name for step, request in others if request["side"] != "legacy"]
    assert set(elsewhere) - moved - preflights == set()


@pytest.mark.parametrize("played", _of("shadow"), indirect=True)
def test_shadow_sees_no_lasting_difference(played: Played) -> None:
    assert list(filter(None, played.examples)) == []
    assert {name: seen for name, seen in played.shadow.items() if seen["different"] or seen["failed"]} == {}
    assert sum(seen["compared"] for seen in played.shadow.values()) > 50
    assert [name for name, seen in played.shadow.items() if not seen["compared"]] == []


@pytest.mark.parametrize("played", _of("canary"), indirect=True)
def test_canary_has_two_actors_and_ten_writes_on_each_side(played: Played) -> None:
    sides = {"share_in": "extracted", "share_out": "legacy"}
    after = played.moved()[sum(map(played.routes.moves, STEPS[:ALL_KNOWN])) :]
    known = [(step, request) for step, request in after if request["reason"] in sides]
    for reason, side in sides.items():
        mine = [(step, request) for step, request in known if request["reason"] == reason]
        assert {request["side"] for _, request in mine} == {side}
        assert len({step.request.header("Authorization") for step, _ in mine}) >= 2
        assert sum(step.method in WRITES for step, _ in mine) >= 10
