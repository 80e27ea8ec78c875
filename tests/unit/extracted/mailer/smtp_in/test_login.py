"""Who may bring mail in: passwords, and TLS below them; nothing of a password is ever told."""

import asyncio
import logging
import smtplib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiosmtplib
import pytest
import uvloop
from structlog.testing import capture_logs

from extracted.mailer.smtp_in.endpoint import IngressEndpoint, IngressLimits, IngressUnsafe
from tests.http.certificates import Authority
from tests.unit.extracted.mailer.smtp_in.ingress_client import MESSAGE, Listened, listened

USER, PASSWORD = "monolith", "péssword-of-the-monolith"
WRONG = "535 5.7.8 Authentication credentials invalid"
TOLD = "530 5.7.0 Log in first (AUTH)"


def plain(user: str, password: str) -> str:
    return b64encode(f"\0{user}\0{password}".encode()).decode()


@pytest.fixture
async def ingress(tmp_path: Path) -> AsyncIterator[Listened]:
    async with listened(tmp_path, login=(USER, PASSWORD)) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "mail")


@pytest.fixture(scope="module")
def tls(authority: Authority) -> ssl.SSLContext:
    pair = authority.issue("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    return context


async def test_nothing_is_taken_before_a_login(ingress: Listened) -> None:
    wire = await ingress.greeted()
    assert [await wire.say(line) for line in ("MAIL FROM:<a@x.org>", "RCPT TO:<b@x.org>", "DATA")] == [TOLD] * 3
    assert await wire.say(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "235 2.7.0 Authentication successful"
    assert (await wire.mail()).startswith("250 ")
    assert (await wire.say(f"AUTH PLAIN {plain(USER, PASSWORD)}")).startswith("503 ")


async def test_a_login_may_come_in_steps_and_in_any_case_of_letters(ingress: Listened) -> None:
    wire = await ingress.greeted()
    assert await wire.say("auth plain") == "334 "
    assert (await wire.say(plain(USER, PASSWORD))).startswith("235 ")
    wire = await ingress.greeted()
    assert (await wire.say("AUTH LOGIN")).startswith("334 ")
    assert (await wire.say(b64encode(USER.encode()))).startswith("334 ")
    assert (await wire.say(b64encode(PASSWORD.encode()))).startswith("235 ")
    assert (await wire.mail()).startswith("250 ")


@pytest.mark.parametrize(
    ("user", "password"),
    [(USER, "wrong"), ("other", PASSWORD), ("", ""), (USER, PASSWORD + "x"), (USER, PASSWORD[:-1])],
)
async def test_a_wrong_login_is_refused_and_the_third_ends_the_session(
    ingress: Listened, user: str, password: str
) -> None:
    wire = await ingress.greeted()
    for _ in range(2):
        assert await wire.say(f"AUTH PLAIN {plain(user, password)}") == WRONG
        assert await wire.say("MAIL FROM:<a@x.org>") == TOLD
    assert await wire.say(f"AUTH PLAIN {plain(user, password)}") == WRONG
    await wire.ends("421 4.7.0 Too many failed logins")


@pytest.mark.parametrize(
    "lines",
    [
        ["AUTH"], ["AUTH CRAM-MD5"], ["AUTH PLAIN !"], ["AUTH PLAIN AA=="], ["AUTH PLAIN a b"], ["AUTH LOGIN !"],
        ["AUTH PLAIN", "*"], ["AUTH PLAIN", "!"], ["AUTH LOGIN", "*"], ["AUTH LOGIN", "dQ==", "é"],
        ["AUTH PLAIN", "AAAA"],
    ],
)  # fmt: skip
async def test_what_is_no_login_is_refused_and_the_session_goes_on(ingress: Listened, lines: list[str]) -> None:
    wire = await ingress.greeted()
    *first, last = [await wire.say(line) for line in lines]
    assert all(reply.startswith("334 ") for reply in first)
    assert last[:3] in ("501", "504", "535")
    assert (await wire.say(f"AUTH PLAIN {plain(USER, PASSWORD)}")).startswith("235 ")


async def test_a_login_that_is_far_too_long_ends_the_session(ingress: Listened) -> None:
    wire = await ingress.greeted()
    await wire.say("AUTH PLAIN")
    assert (await wire.say(b"A" * 200_000))[:3] in ("500", "")


async def test_a_new_hello_does_not_undo_a_login_but_is_no_login_either(ingress: Listened) -> None:
    wire = await ingress.greeted()
    await wire.say("HELO x")
    assert await wire.say("MAIL FROM:<a@x.org>") == TOLD
    assert (await wire.say(f"AUTH PLAIN {plain(USER, PASSWORD)}")).startswith("500 ")


async def test_no_password_is_in_any_log(ingress: Listened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as lines:
        wire = await ingress.greeted()
        for line in (f"AUTH PLAIN {plain(USER, 'hunter2')}", f"AUTH PLAIN  x {plain(USER, 'hunter2')}", "AUTH PLAIN"):
            await wire.say(line)
        await wire.say(plain(USER, PASSWORD))
    told = str(lines) + caplog.text
    secrets = (PASSWORD, "hunter2", plain(USER, PASSWORD), plain(USER, "hunter2"), plain(USER, "hunter2")[8:])
    assert not any(secret in told for secret in secrets)
    assert [(line["event"], line["peer"]) for line in lines] == [("login_failed", "127.0.0.1")]
    assert PASSWORD not in repr(IngressEndpoint("127.0.0.1", 0, (USER, PASSWORD)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_password_over_a_network_wants_tls_or_a_clear_word(host: str) -> None:
    login = (USER, PASSWORD)
    assert IngressEndpoint(host, 0, login).login == login
    for network in ("0.0.0.0", "mailer", "10.0.0.1"):
        with pytest.raises(IngressUnsafe, match="travel in plain text; listen on 127"):
            IngressEndpoint(network, 0, login)
        assert IngressEndpoint(network, 0).login is None
        assert IngressEndpoint(network, 0, login, allows_plain=True).login == login
        assert IngressEndpoint(network, 0, login, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)).login == login


@pytest.mark.parametrize(
    ("host", "login", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", (USER, PASSWORD), False), ("127.0.0.1", None, False)],
)
async def test_an_ingress_that_other_machines_may_use_without_a_login_is_told(
    tmp_path: Path, host: str, login: tuple[str, str] | None, warned: bool
) -> None:
    with capture_logs() as logs:
        async with listened(tmp_path, host=host, login=login, allows_plain=True):
            pass
    assert ("ingress_without_login" in {one["event"] for one in logs}) == warned


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_it_works_in_both_event_loops_with_tls_and_without(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, tls: ssl.SSLContext, authority: Authority
) -> None:
    """uvloop serves HTTP beside."""

    trusted = ssl.create_default_context(cafile=authority.file)

    async def work() -> None:
        async with listened(tmp_path, IngressLimits(idle_s=0.5), tls=tls, login=(USER, PASSWORD)) as ingress:
            await aiosmtplib.send(
                MESSAGE, sender="a@example.org", recipients=["b@example.org"], hostname="localhost", port=ingress.port,
                start_tls=True, tls_context=trusted, username=USER, password=PASSWORD,
            )  # fmt: skip
            assert await ingress.shelf.contents() == [MESSAGE]
            wire = await ingress.greeted()
            await wire.send(b"NOOP\r\nNOOP\r\n")
            await wire.ends("554 ")
            await (await ingress.greeted()).ends("421 ")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(work())


async def test_what_was_said_before_tls_is_forgotten_and_nothing_passes_over(
    tmp_path: Path, tls: ssl.SSLContext
) -> None:
    async with listened(tmp_path, tls=tls) as ingress:
        wire = await ingress.enveloped()
        await wire.send(b"STARTTLS\r\nRSET\r\n")
        await wire.ends("554 ")
        wire = await ingress.enveloped()
        ingress.receive(wire, b"STARTTLS\r\n", b"NOOP\r\n")
        assert (await wire.reply()).startswith("220 ")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await wire.writer.start_tls(context)
        assert await wire.say("DATA") == "503 Error: send HELO first"
        assert "STARTTLS" not in await wire.say("EHLO x")
        assert (await wire.say("STARTTLS")).startswith("500 ")
        assert (await wire.say("DATA")).startswith("503 ")
        assert (await wire.mail()).startswith("250 ")


async def test_a_password_waits_for_tls_where_there_is_tls(tmp_path: Path, tls: ssl.SSLContext) -> None:
    async with listened(tmp_path, tls=tls, login=(USER, PASSWORD), host="0.0.0.0") as ingress:
        wire = await ingress.connect()
        await wire.reply()
        assert "AUTH" not in await wire.say("EHLO x")
        assert (await wire.say(f"AUTH PLAIN {plain(USER, PASSWORD)}")).startswith("538 ")


async def test_a_handshake_that_fails_leaves_nothing_behind(
    tmp_path: Path, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with listened(tmp_path, IngressLimits(idle_s=1, connections=2), tls=tls) as ingress:
        for noise in (b"MAIL FROM:<a@x>\r\n" * 3, b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01", b""):
            for _ in range(2):
                wire = await ingress.greeted()
                await wire.say("STARTTLS")
                await wire.send(noise)
                if not noise:
                    wire.writer.transport.abort()
                assert await wire.has_ended()
                async with asyncio.timeout(60):
                    while ingress.ingress.connections:
                        await asyncio.sleep(0.01)
        assert (await (await ingress.greeted()).mail()).startswith("250 ")

        def by_smtplib() -> None:
            with smtplib.SMTP("127.0.0.1", ingress.port, timeout=10) as client, pytest.raises(ssl.SSLError):
                client.starttls(context=ssl.create_default_context())

        await asyncio.to_thread(by_smtplib)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
