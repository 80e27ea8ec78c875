"""`strangler record`: taken from the traffic as it passes, bounded, without secrets, in nobody's way."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from strangler_gateway.cli.app import app
from strangler_gateway.exchange.taps import Capture, Tap
from strangler_gateway.gateway import Gateway
from strangler_gateway.recording.record import MAX_BODY, MAX_UNDER_WAY, Recording, RecordingRequest
from strangler_gateway.recording.tap import TeeTap
from strangler_gateway.table.routes import MigrationState, ShadowRules
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.diary import PASSWORD, Diary, diary
from tests.support.gateway.exchanges import ALICE, decided, exchange, gateway_for, route

pytestmark = pytest.mark.walk

OPERATOR, READER = "operator-secret-1", "reader-secret-2"
ROUTES = """\
version: 1
services:
  diary: {{url: "{url}"}}
routes:
  - id: notes
    match: {{path: "/notes/{{rest...}}"}}
    legacy: diary
  - id: everything-else
    match: {{path: "/{{rest...}}"}}
    legacy: diary
"""


@dataclass
class Stage:
    monolith: Diary
    gateway: GatewayProcess
    folder: Path

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.gateway.admin_port}"

    def recording(self, *words: str, to: str = "notes.jsonl") -> "subprocess.Popen[str]":
        """One that has begun, in a process of its own."""
        path = self.folder / to
        command = [sys.executable, "-m", "strangler_gateway.cli.app", "record", "--to", str(path), *words]
        environ = os.environ | {"STRANGLER_ADMIN_URL": self.admin, "STRANGLER_ADMIN_TOKEN": OPERATOR}
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: path.exists() and path.stat().st_size > 0)
        return process

    def read(self, to: str = "notes.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / to).read_text().splitlines()]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.gateway.port}", trust_env=False)


def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with diary() as monolith:
        routes = tmp_path / "routes.yaml"
        routes.write_text(ROUTES.format(url=monolith.url))
        environ = {"STRANGLER_OPERATOR_TOKEN": OPERATOR, "STRANGLER_READER_TOKEN": READER}
        gateway = GatewayProcess(routes, tmp_path / "state", environ)
        try:
            yield Stage(monolith, gateway, tmp_path)
        finally:
            gateway.stop()


def record(to: Path, *words: str, admin: str, token: str = OPERATOR) -> tuple[int, str]:
    """Exit code and output of the command."""
    command = ["record", "--to", str(to), "--admin", admin, *words]
    result = CliRunner().invoke(app, command, env={"STRANGLER_ADMIN_TOKEN": token})
    return result.exit_code, result.output


def interrupted(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)
    return process.returncode


def conversation(client: httpx.Client) -> str:
    """Log in, write a note (chunked), read it; gives the token."""
    token = str(client.post("/login", json={"name": "ada", "password": PASSWORD}).json()["accessToken"])
    client.cookies.clear()
    bearer = {"Authorization": f"Bearer {token}"}
    note = client.post(
        "/notes", content=iter([b'{"text": ', b'"hello"}']), headers=bearer | {"Content-Type": "application/json"}
    )
    assert client.get(f"/notes/{note.json()['id']}", headers=bearer).json() == note.json()
    return token


def test_a_conversation_is_recorded_in_order_and_without_secrets(stage: Stage) -> None:
    process = stage.recording("--max", "3", "--json")
    with stage.client() as client:
        token = conversation(client)
    output, complaint = process.communicate(timeout=240)
    assert (process.returncode, complaint) == (0, "")
    told = json.loads(output)
    assert (told["file"], told["taken"], told["left_out"]) == (str(stage.folder / "notes.jsonl"), 3, {})
    meta, login, write, read = stage.read()
    assert "meta" in meta
    assert [one["method"] + " " + one["path"].rstrip("0123456789") for one in (login, write, read)] == [
        "POST /login", "POST /notes", "GET /notes/"
    ]  # fmt: skip
    assert [one["actor"] for one in (login, write, read)] == ["anon", "u1", "u1"]
    assert json.loads(write["request"]["body"]) == {"text": "hello"}
    assert json.loads(read["response"]["body"])["text"] == "hello"
    secret = json.loads(login["response"]["body"])["accessToken"]
    assert ["Authorization", f"Bearer {secret}"] in read["request"]["headers"]
    text = (stage.folder / "notes.jsonl").read_text()
    assert [hidden for hidden in (token, PASSWORD, "X-Internal-Host", "db-7.internal") if hidden in text] == []
    assert stat.S_IMODE((stage.folder / "notes.jsonl").stat().st_mode) == 0o600


def test_only_an_operator_records_and_one_at_a_time(stage: Stage) -> None:
    process = stage.recording("--for", "1m")
    for to, words, token, code, reason in (
        ("b.jsonl", "", OPERATOR, 1, "one at a time"),
        ("c.jsonl", "", READER, 1, "operator's credential"),
        ("d.jsonl", "--route nowhere", OPERATOR, 2, "nowhere"),
        ("notes.jsonl", "", OPERATOR, 1, "not overwritten"),
        ("e.jsonl", "--for soon", OPERATOR, 2, "not a duration"),
    ):
        told = record(stage.folder / to, *words.split(), admin=stage.admin, token=token)
        assert (told[0], reason in told[1]) == (code, True), told
    assert [path.name for path in stage.folder.glob("*.jsonl")] == ["notes.jsonl"]
    assert interrupted(process) == 0


def test_only_one_route_is_recorded_and_when_the_operator_leaves_the_next_may_begin(stage: Stage) -> None:
    first = stage.recording("--route", "notes", "--for", "1m")
    with stage.client() as client:
        conversation(client)
    until(lambda: len(stage.read()) == 2)
    assert {one["path"].split("/")[1] for one in stage.read()[1:]} == {"notes"}
    first.kill()
    first.communicate(timeout=240)
    stage.gateway.logged("recording ended", 10)
    assert record(stage.folder / "second.jsonl", "--for", "1s", admin=stage.admin)[0] == 0


def test_without_a_gateway_nothing_is_written(tmp_path: Path) -> None:
    code, told = record(tmp_path / "notes.jsonl", admin="http://127.0.0.1:9")
    assert (code, "no gateway answers" in told, list(tmp_path.iterdir())) == (3, True, [])


# The same without sockets: bounds.


def passes(copy: Tap, body: bytes = b"", answer: bytes = b"{}", status: int = 200) -> None:
    if body:
        copy.request_body(body)
        copy.request_end()
    copy.head(status, [(b"Content-Type", b"application/json")])
    copy.body(answer)
    copy.done()


async def recorded(recording: Recording) -> list[str]:
    found = []
    while recording.waiting:
        captured = await recording.take(0.0)
        assert captured is not None
        found.append(f"{captured.method} {captured.target} {captured.body!r} {captured.answer!r}")
    return found


@pytest.mark.parametrize(
    ("state", "share", "taken"),
    [
        (MigrationState.LEGACY, 0, True),
        (MigrationState.EXTRACTED, 0, False),
        (MigrationState.CANARY, 10_000, False),
        (MigrationState.CANARY, 0, True),
    ],
)
async def test_the_legacy_side_alone_is_copied_and_only_while_somebody_records(
    state: MigrationState, share: int, taken: bool
) -> None:
    gateway = gateway_for(route(state, share=share))
    assert decided(gateway, who=ALICE).tap is None
    gateway.recorder.recording = Recording(RecordingRequest(60, 10))
    assert isinstance(decided(gateway, who=ALICE).tap, Capture) == taken


async def test_shadow_and_recording_share_an_exchange() -> None:
    gateway = gateway_for(route(MigrationState.SHADOW, shadow=ShadowRules(share=10_000)))
    gateway.recorder.recording = recording = Recording(RecordingRequest(60, 10))
    x = decided(gateway)
    assert isinstance(x.tap, TeeTap)
    passes(x.tap)
    assert gateway.shadow._running == {"everything": 1}
    await gateway.shadow.aclose()
    assert await recorded(recording) == ["GET /item/1 b'' b'{}'"]


def tapped(gateway: Gateway, recording: Recording, fields: dict[str, str] | None = None, **request: Any) -> Any:
    x = exchange(gateway, fields, **request)
    recording.tap(x)
    return x


async def test_what_is_not_whole_is_left_out_and_counted() -> None:
    gateway, recording = gateway_for(route(MigrationState.LEGACY)), Recording(RecordingRequest(60, 10))
    long, gone, stream = (tapped(gateway, recording) for _ in range(3))
    early, whole = (tapped(gateway, recording, {"Content-Length": n}, method="POST") for n in ("5", "2"))
    passes(long.tap, answer=b"x" * (MAX_BODY + 1))
    early.tap.request_body(b"ab")
    early.tap.head(413, [])
    early.tap.done()
    gone.tap.head(200, [])
    for release in gone.on_done:
        release()
    stream.tap.head(200, [(b"Content-Type", b"text/event-stream")])
    passes(whole.tap, body=b"ab")
    assert (recording.tally.taken, recording.tally.left_out) == (1, {"not_whole": 4})
    assert await recorded(recording) == ["POST /item/1 b'ab' b'{}'"]


async def test_it_is_bounded_in_number_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, clock = gateway_for(route(MigrationState.LEGACY)), [0.0]
    recording = Recording(RecordingRequest(60, 2), clock=lambda: clock[0])
    taps = [tapped(gateway, recording).tap for _ in range(MAX_UNDER_WAY + 1)]
    assert taps[-1] is None
    for tap in taps[:3]:
        assert tap is not None
        passes(tap)
    assert (recording.tally.taken, recording.full) == (2, True)
    monkeypatch.setattr("strangler_gateway.recording.record.MAX_WAITING", 3)
    other = Recording(RecordingRequest(60, 10), clock=lambda: clock[0])
    for _ in range(2):
        tap = tapped(gateway, other).tap
        assert tap is not None
        passes(tap)
    assert (other.tally.taken, other.tally.left_out) == (1, {"too_many": 1})
    clock[0] = 60.0
    assert (tapped(gateway, other).tap, other.over) == (None, True)


async def test_a_share_takes_some_callers_with_all_their_requests() -> None:
    gateway = gateway_for(route(MigrationState.LEGACY))
    recording = Recording(RecordingRequest(60, 10_000, share=2_500), salt="fixed")
    taken: dict[int, set[bool]] = {}
    for user in (*range(200), *range(200)):
        x = tapped(gateway, recording, {"Authorization": f"Bearer {user}"})
        taken.setdefault(user, set()).add(x.tap is not None)
        for release in x.on_done:
            release()
    assert all(len(each) == 1 for each in taken.values())
    assert 30 < sum(each == {True} for each in taken.values()) < 70
