"""`strangler replay`: the recorded conversation with another server, in this run's ids and tokens."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from strangler_gateway.cli.app import app
from strangler_gateway.recording.replay import Replay, ReplayOptions
from strangler_gateway.recording.scrub import Scrubber
from strangler_gateway.recording.step import RecordingInvalid, load
from strangler_gateway.recording.tap import CapturedExchange
from strangler_gateway.recording.values import ReplayValues
from tests.recordings.running import running_monolith
from tests.support.gateway.diary import PASSWORD, Diary, diary

PRODUCTION = Path(__file__).parents[3] / "recordings/production.jsonl"
SETUP = f"echo secret-1={PASSWORD}"
"""What stands for the password in the recording below."""


def captured(
    method: str, target: str, status: int, answer: Any, body: Any = None, token: str = "", **fields: str
) -> CapturedExchange:
    return CapturedExchange(
        route="notes",
        caller=token.encode(),
        method=method,
        target=target,
        fields=[
            *([(b"Content-Type", b"application/json")] if body else []),
            *([(b"Authorization", f"Bearer {token}".encode())] if token else []),
        ],
        body=json.dumps(body).encode() if body else b"",
        status=status,
        answer_fields=[(b"Content-Type", b"application/json"), *((n.encode(), v.encode()) for n, v in fields.items())],
        answer=json.dumps(answer).encode(),
    )


TOKEN, REF = "opaque-token-of-that-run", "0b0e3d4c-2f5a-4c1e-9a53-0a3a3f1f7a01"
NOTE = {"id": 17, "ref": REF, "text": "hello"}
CONVERSATION = [
    captured("GET", "/health", 200, {"status": "ok"}),
    captured("GET", "/me", 401, {"error": "log in"}),
    captured(
        "POST",
        "/login",
        200,
        {"accessToken": TOKEN},
        {"name": "ada", "password": PASSWORD},
        **{"Set-Cookie": f"session={TOKEN}; Path=/; HttpOnly"},
    ),
    captured("POST", "/notes", 201, NOTE, {"text": "hello"}, TOKEN, Location="/notes/17"),
    captured("GET", "/notes/17", 200, NOTE, token=TOKEN),
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    scrubber, path = Scrubber(), tmp_path / "notes.jsonl"
    lines = [{"meta": {"what": "a test"}}, *(scrubber.step(each).line() for each in CONVERSATION)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert PASSWORD not in path.read_text()
    assert TOKEN not in path.read_text()
    return path


@pytest.fixture
def other() -> Iterator[Diary]:
    with diary() as server:
        yield server


def run(recording: Path, against: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["replay", str(recording), "--against", against, *words])


def said(recording: Path, against: str, *words: str) -> tuple[int, Any]:
    result = run(recording, against, *words, "--json")
    return result.exit_code, json.loads(result.stdout)


def counts(told: Any) -> tuple[int, int, int]:
    return told["same"], told["different"], told["skipped"]


def places(told: Any) -> set[str]:
    return {one["where"] for step in told["steps"] for one in step["differences"]}


def test_another_run_with_its_own_ids_and_tokens_is_the_same(recording: Path, other: Diary) -> None:
    code, told = said(recording, other.url, "--unsafe", "--setup", SETUP)
    assert (code, counts(told)) == (0, (5, 0, 0)), told
    assert other.seen[-1] == f"GET /notes/{other.next_id}"


def test_a_difference_is_shown_with_its_place_and_ends_with_1(recording: Path, other: Diary) -> None:
    other.prefix = "hm: "
    result = run(recording, other.url, "--unsafe", "--setup", SETUP)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if "$.text" in line]
    assert '"hello"' in line
    assert '"hm: hello"' in line
    assert "4 same, 1 different, 0 skipped" in result.stdout
    assert run(recording, other.url, "--unsafe", "--setup", SETUP, "--ignore", "$.text").exit_code == 0


def test_without_unsafe_no_write_is_sent_and_what_needs_one_is_skipped(recording: Path, other: Diary) -> None:
    code, told = said(recording, other.url)
    assert (code, counts(told)) == (0, (2, 0, 3))
    assert other.seen == ["GET /health", "GET /me"]
    assert {step["reason"] for step in told["steps"]} == {"", "not safe", "needs the answer of a skipped step"}


def test_a_credential_that_is_given_goes_where_there_was_one(recording: Path, other: Diary) -> None:
    other.tokens["own"], other.notes[17] = "ada", NOTE
    lines = recording.read_text().splitlines()
    recording.write_text("\n".join(line for line in lines if '"POST"' not in line))
    assert counts(said(recording, other.url)[1]) == (2, 0, 1)
    assert counts(said(recording, other.url, "--header", "Authorization: Bearer own")[1]) == (3, 0, 0)


def test_a_wrong_status_of_a_write_is_a_difference_and_later_steps_still_run(recording: Path, other: Diary) -> None:
    code, told = said(recording, other.url, "--unsafe", "--setup", "echo secret-1=wrong")
    assert (code, told["same"]) == (1, 2)
    assert "status" in places(told)


def test_nothing_compared_is_no_success(recording: Path, other: Diary) -> None:
    lines = recording.read_text().splitlines()
    recording.write_text("\n".join(line for line in lines if '"GET"' not in line))
    assert (run(recording, other.url).exit_code, other.seen) == (1, [])


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--against", "http://127.0.0.1:9"], 3, "no server answers"),
        (["--against", "ftp://x"], 2, "not an http:// URL"),
        (["--ignore", "data.id"], 2, "a path begins with $"),
        (["--header", "no colon"], 2, "NAME: VALUE"),
        (["--within", "soon"], 2, "not a duration"),
        (["--setup", "exit 3"], 1, "exit code 3"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    recording: Path, other: Diary, words: list[str], code: int, reason: str
) -> None:
    result = run(recording, other.url, *words)
    assert (result.exit_code, reason in result.output) == (code, True), result.output


@pytest.mark.parametrize(
    "text", ["", "no json", "[1]", '{"step": 1}', '{"meta": {}}', CONVERSATION[0].target, "[" * 100_000]
)
def test_a_file_that_is_no_recording_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingInvalid):
        load(path)


@pytest.mark.parametrize(("field", "value"), [("path", "http://x/"), ("path", "/a\r\nX: y"), ("method", "GET /x")])
def test_a_recording_cannot_smuggle_a_request(recording: Path, field: str, value: str) -> None:
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    lines[1][field] = value
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RecordingInvalid, match="line 2"):
        load(recording)


def test_when_time_is_up_nothing_is_sent_any_more(recording: Path, other: Diary) -> None:
    clock = iter(range(100))
    replay = Replay(
        load(recording), other.url, ReplayOptions(unsafe=True, within_s=2.5), clock=lambda: float(next(clock))
    )
    outcomes = [(result.outcome, result.reason) for result in replay.results()]
    assert outcomes[0] == ("same", "")
    assert outcomes[-1] == ("skipped", "no time was left")


@pytest.mark.walk
def test_the_recording_of_the_real_monolith_holds_for_what_is_safe(tmp_path: Path) -> None:
    """But for steps whose token no recorded answer brings: the whole conversation had more steps."""
    with running_monolith(tmp_path / "monolith.sqlite3") as monolith:
        _, told = said(PRODUCTION, monolith.url)
    steps = {step.name: step for step in load(PRODUCTION)}
    answered = "".join(step.answer for step in steps.values())
    differing = [steps[step["step"]] for step in told["steps"] if step["outcome"] == "different"]
    assert told["same"] > 40
    for step in differing:
        token = dict(step.fields)["Authorization"].removeprefix("Bearer ")
        assert token not in answered, step.name


# Which steps are sent, and with which ids.

Now = dict[str, tuple[int, Any]]
"""What the other server answers: by `METHOD target`, status and JSON."""


def replayed(recorded: list[CapturedExchange], now: Now, options: ReplayOptions) -> list[str]:
    """The outcome of each step. A request that `now` does not have gets 404."""
    scrubber = Scrubber()

    def answer(request: httpx.Request) -> httpx.Response:
        status, document = now.get(f"{request.method} {request.extensions['target'].decode()}", (404, {}))
        return httpx.Response(status, json=document)

    steps = [scrubber.step(one) for one in recorded]
    replay = Replay(steps, "http://other", options, transport=httpx.MockTransport(answer))
    return [result.reason or result.outcome for result in replay.results()]


NO_CREDENTIAL, NO_ANSWER = "needs a credential that the recording does not hold", "needs the answer of a skipped step"
FORBIDDEN = (403, {"error": "not yours"})


def test_a_403_needs_the_credential_that_it_is_about_and_a_401_does_not() -> None:
    recorded = [
        captured("GET", "/health", 200, {}),
        captured("GET", "/admin", *FORBIDDEN, token=TOKEN),
        captured("GET", "/me", 401, {"error": "log in"}, token="expired-token-of-that-run"),
        captured("GET", "/public", 403, {"error": "closed"}),
    ]
    unknown = (401, {"error": "log in"})
    now: Now = {"GET /health": (200, {}), "GET /me": unknown, "GET /public": (403, {"error": "closed"})}
    without = replayed(recorded, now | {"GET /admin": unknown}, ReplayOptions())
    assert without == ["same", NO_CREDENTIAL, "same", "same"]
    known = ReplayOptions(values=(("secret-1", "a-token-of-this-run"),))
    assert replayed(recorded, now | {"GET /admin": FORBIDDEN}, known) == ["same"] * 4


NOTED = captured("POST", "/notes", 201, {"id": 2, "text": "x"}, {"text": "x"}, Location="/notes/2")


@pytest.mark.parametrize(
    ("recorded", "outcome"),
    [
        (captured("GET", "/notes/2", 200, {"id": 2}), NO_ANSWER),
        (captured("GET", "/notes/2/pages", 200, []), NO_ANSWER),
        (captured("GET", "/pages?note_id=2", 200, []), NO_ANSWER),
        (captured("GET", "/search", 200, [], {"noteId": "2"}), NO_ANSWER),
        (captured("GET", "/users/2", 200, {"id": 2}), "same"),
        (captured("GET", "/users?page=2&limit=2", 200, [{"id": 2}]), "same"),
        (captured("GET", "/pages?user_id=2", 200, []), "same"),
        (captured("GET", "/search", 200, [], {"userId": 2, "count": 2}), "same"),
        (captured("GET", "/v/2/health", 200, {"id": 2}), "same"),
    ],
)
def test_a_skipped_step_takes_those_along_that_need_its_id_and_none_that_only_has_the_number(
    recorded: CapturedExchange, outcome: str
) -> None:
    now = {f"GET {recorded.target}": (recorded.status, json.loads(recorded.answer))}
    assert replayed([NOTED, recorded], now, ReplayOptions()) == ["not safe", outcome]


def test_a_small_number_is_one_id_for_each_kind_of_thing() -> None:
    recorded = [
        NOTED,
        captured("GET", "/users", 200, {"data": [{"id": 2}], "author": {"id": 2}}),
        captured("GET", "/users/2?page=2", 200, {"id": 2, "noteId": 2}),
        captured("GET", "/notes/2", 200, {"id": 2, "author": {"id": 2}}),
        captured("GET", "/pages/2?note_id=2", 200, {"id": 2, "note": {"id": 2}}),
    ]
    now = {
        "POST /notes": (201, {"id": 7, "text": "x"}),
        "GET /users": (200, {"data": [{"id": 7}], "author": {"id": 3}}),
        "GET /users/7?page=2": (200, {"id": 7, "noteId": 7}),
        "GET /notes/7": (200, {"id": 7, "author": {"id": 3}}),
        "GET /pages/2?note_id=7": (200, {"id": 2, "note": {"id": 7}}),
    }
    without_location = ReplayOptions(ignore=("header location", "header etag"), unsafe=True)
    assert replayed(recorded, now, without_location) == ["same"] * 5
    now["GET /pages/2?note_id=7"] = (200, {"id": 2, "note": {"id": 2}})
    assert replayed(recorded, now, without_location) == [*["same"] * 4, "different"]


# Values alone.

OTHER, THIRD = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
OLD, NEW = "2026-01-01T00:00:00.000Z", "2027-01-01T10:00:00.123Z"
CALLS: dict[str, list[tuple[Any, ...]]] = {
    "one recorded value is one value now and not another's": [
        ("expected", f"/a/{REF}", f"/a/{OTHER}", f"/a/{OTHER}"),
        ("own", f"see {REF}.", f"see {OTHER}."),
        ("expected", REF, THIRD, OTHER),
        ("expected", THIRD, OTHER, THIRD),
    ],
    "the text around a value has to be the same": [
        ("expected", f"a {REF} b", f"a {OTHER} c", f"a {REF} b"),
        ("expected", REF, "no uuid", REF),
    ],
    "times go on and tell nothing": [
        ("expected", OLD, NEW, NEW),
        ("expected", OLD, "2028-01-01T10:00:00.000Z", "2028-01-01T10:00:00.000Z"),
        ("expected", OLD, "tomorrow", OLD),
        ("expected_number", "createdAt", 1_700_000_000, 1_800_000_000, 1_800_000_000),
    ],
    "a value without a form is learnt only if it is sent later": [
        ("expected", "blue", "green", "green"),
        ("expected", "red", "green", "red"),
        ("expected", "sent before", "green", "sent before"),
        ("target", "/a/blue?x=blue", "/a/green?x=green"),
    ],
    "numbers are learnt under the names of ids alone": [
        ("expected_number", "noteId", 17, 42, 42),
        ("expected_number", "count", 17, 42, 17),
        ("target", "/notes/17?page=17&note_id=17", "/notes/42?page=17&note_id=42"),
        ("own_number", "count", 17, 17),
    ],
    "where an answer leads may bring an id": [
        ("expected_target", "/notes/17?x=1", "/notes/42?x=1", "/notes/42?x=1"),
        ("target", "/notes/17", "/notes/42"),
        ("expected_target", "/login", "/signup", "/login"),
    ],
    "a pseudonym is whatever stands in its place": [
        ("expected", "session=secret-1; Path=/", "session=x.y/z; Path=/", "session=x.y/z; Path=/"),
        ("field", "a=b; session=secret-1", "a=b; session=x.y/z"),
        ("own", "secret-12", "secret-12"),
    ],
}


@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
def test_values_of_another_run(calls: list[tuple[Any, ...]]) -> None:
    seen = ReplayValues({"blue": 3, "17": 5, "sent before": 1})
    seen.now = 1
    for method, *arguments, wanted in calls:
        assert getattr(seen, method)(*arguments) == wanted
