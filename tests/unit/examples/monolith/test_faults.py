"""Faults that end the monolith or make it unavailable, where the part that fails is configured."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from examples.monolith.settings import SettingsInvalid, from_environment
from tests.recordings.mail_sink import mail_server
from tests.recordings.running import RunningMonolith, running_monolith
from tests.unit.examples.monolith.client import SECRET, Client, fresh_name
from tests.unit.examples.monolith.trees import container, content, editor, validator

pytestmark = pytest.mark.walk

ENDS_WITHIN_S = 60
NOBODY = "alice@example.org"


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that this process holds and on which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def sign_up() -> dict[str, str]:
    name = fresh_name()
    return {"username": name, "password": SECRET, "email": f"{name}@example.org"}


def ended(running: RunningMonolith) -> int:
    return running.process.wait(ENDS_WITHIN_S)


def test_a_sign_up_while_the_mail_server_is_away_ends_the_process(tmp_path: Path) -> None:
    """Faults F7 and C11; nothing is written of it."""
    with dead_port() as port:
        smtp = {"EMAIL_PROVIDER": "SMTP", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
        with running_monolith(tmp_path / "monolith.sqlite3", environ=smtp) as running:
            client = Client(running.host, running.port)
            assert client.post("/user", sign_up() | {"email": "nope"}).status == 400
            with pytest.raises((HTTPException, ConnectionError)):
                client.post("/user", sign_up())
            assert ended(running) == 1


def test_a_mail_leaves_before_the_user_is_there(tmp_path: Path) -> None:
    """Fault F8: here the login is taken, so there will never be one."""
    with (
        mail_server() as (sink, smtp),
        running_monolith(tmp_path / "monolith.sqlite3", seed="demo", environ=smtp) as running,
    ):
        client = Client(running.host, running.port)
        alice = client.login(NOBODY, "alice-secret")
        (email,) = alice.get("/user/@me/email").data
        alice.delete(f"/user/@me/email/{email['id']}")
        assert client.post("/user", sign_up() | {"email": NOBODY}).status == 500
        assert sink.to(NOBODY, 1)[0].subject == "Verify your account"


def test_names_go_into_a_mail_as_they_are(tmp_path: Path) -> None:
    with (
        mail_server() as (sink, smtp),
        running_monolith(tmp_path / "monolith.sqlite3", environ=smtp) as running,
    ):
        user = sign_up() | {"username": "<b>é</b>"}
        assert Client(running.host, running.port).post("/user", user).status == 201
        assert "Hi <b>é</b>," in sink.to(user["email"], 1)[0].html


def validators_of(made: Any) -> tuple[str, str]:
    component = made["rootComponent"]["data"]["components"][0]
    return component["id"], component["data"]["validators"][0]["id"]


def test_a_submission_while_the_runner_is_away_ends_the_process(tmp_path: Path) -> None:
    """Fault F6; a single validator is a 500."""
    with dead_port() as port:
        environ = {"RUNNER_API_URL": f"http://127.0.0.1:{port}"}
        with running_monolith(tmp_path / "monolith.sqlite3", environ=environ) as running:
            admin = Client(running.host, running.port).login("admin", "admin")
            made = admin.post("/content", content(container(editor(validator("1", "2"))))).data
            component_id, validator_id = validators_of(made)
            code = {"language": "PYTHON", "code": "print(2)"}
            answer = admin.post(f"/submission/{validator_id}", code)
            assert (answer.status, answer.json["message"]) == (500, "Internal Server Error")
            with pytest.raises((HTTPException, ConnectionError)):
                admin.post("/submission", code | {"contentId": made["id"], "componentId": component_id})
            assert ended(running) == 1


def test_without_a_runner_nothing_ends(tmp_path: Path) -> None:
    with running_monolith(tmp_path / "monolith.sqlite3") as running:
        admin = Client(running.host, running.port).login("admin", "admin")
        made = admin.post("/content", content(container(editor(validator("1", "2"))))).data
        component_id, validator_id = validators_of(made)
        code = {"language": "PYTHON", "code": "print(2)"}
        sent = code | {"contentId": made["id"], "componentId": component_id}
        assert admin.post("/submission", sent).status == 500
        assert admin.post(f"/submission/{validator_id}", code).status == 500


def test_poor_purchases_take_connections_that_never_come_back(tmp_path: Path) -> None:
    """Fault F2, with a pool that leaks: routes without database still answer."""
    dear = "44444444-4444-4444-8444-444444444444"
    with running_monolith(tmp_path / "monolith.sqlite3", seed="demo", environ={"LEAKING_POOL": "2"}) as running:
        client = Client(running.host, running.port)
        carol = client.login("carol@example.org", "carol-secret")
        assert [carol.post(f"/item/buy/{dear}").status for _ in range(2)] == [403, 403]
        with socket.create_connection((running.host, running.port), timeout=1) as waiting:
            waiting.sendall(
                b"GET /user/@me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % (carol.token or "").encode()
            )
            with pytest.raises(TimeoutError):
                waiting.recv(1)
        assert client.get("/health").status == 200
        running.process.kill()


@pytest.mark.parametrize(
    ("environ", "said"),
    [({"EMAIL_PROVIDER": "SES"}, "EMAIL_PROVIDER is 'SES'"), ({"EMAIL_PROVIDER": "SMTP"}, "SMTP_HOST is not set"),
     ({"SMTP_HOST": "x", "SMTP_PORT": "no"}, "SMTP_PORT is 'no'"), ({"LEAKING_POOL": "-1"}, "LEAKING_POOL is '-1'"),
     ({"PASSWORD_ROUNDS": "3"}, "PASSWORD_ROUNDS is '3'; wanted a number, 4 to 31")],
)  # fmt: skip
def test_an_invalid_setting_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said):
        from_environment("file", {"AUTH_JWT_SECRET": "x"} | environ)


def test_passwords_are_hashed_as_the_monolith_does_unless_told() -> None:
    assert from_environment("file", {"AUTH_JWT_SECRET": "x"}).password_rounds == 10
    assert from_environment("file", {"AUTH_JWT_SECRET": "x", "PASSWORD_ROUNDS": "4"}).password_rounds == 4
