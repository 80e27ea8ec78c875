"""SMTP against a real server with faults: what each of them makes of a mail (messaging.md F29, F30)."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from aiosmtplib.protocol import SMTPProtocol

from extracted.mailer.delivery.provider import NotHandedOver, Provider, SmtpTimeouts, TlsMode
from extracted.mailer.domain import Accepted, DeliveryOutcome, OutgoingMessage, Rejected, Unanswered, Unreachable
from extracted.mailer.smtp_out.client import SmtpTransport
from tests.http.certificates import Authority
from tests.support.mail.smtp_faults import AUTH, DATA, DOT, EHLO, GREETING, MAIL, QUIT, RCPT, RSET, STARTTLS, Fault
from tests.support.mail.smtp_sink import Sink, running_sink
from tests.unit.extracted.mailer.post import LONG, SHORT, Hanging, eventually

HOST = "localhost"
LOGIN = ("polycode", "s3cret-pässword")
MESSAGE = b"Subject: hello\r\nX-PolyCode-Mail-Id: 1\r\n\r\nhello\r\n"


def outgoing(
    message: bytes = MESSAGE, *, sender: str = "noreply@polycode.test", to: str = "ada@mail.test"
) -> OutgoingMessage:
    return OutgoingMessage("1", sender, to, message)


@asynccontextmanager
async def to(sink: Sink, timeouts: SmtpTimeouts = LONG, **provider: object) -> AsyncIterator[SmtpTransport]:
    values = {"host": HOST, "port": sink.port} | provider
    transport = SmtpTransport(Provider(**values), timeouts)  # type: ignore[arg-type]  # each test names its own
    try:
        yield transport
    finally:
        await transport.aclose()


async def sent(
    *faults: Fault, timeouts: SmtpTimeouts | None = None, message: bytes = MESSAGE
) -> tuple[DeliveryOutcome, Sink]:
    """One mail to a server with these faults; where it hangs, time-outs are short."""
    timeouts = timeouts or (SHORT if any(fault.do in ("hang", "slow") for fault in faults) else LONG)
    async with running_sink() as sink:
        sink.faults(*faults)
        async with to(sink, timeouts) as transport:
            return await transport.send(outgoing(message)), sink


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("smtp"), "test")


@pytest.fixture(scope="module")
def tls(authority: Authority) -> ssl.SSLContext:
    return server_context(authority, HOST)


def server_context(authority: Authority, host: str) -> ssl.SSLContext:
    pair = authority.issue(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


@pytest.mark.parametrize(
    "message",
    [
        b".\r\n", b"..\r\n.\r\n", b"a: b\r\n\r\n.hidden\r\n..twice\r\n...\r\n", b"\r\n", b"\x00\xff\xfe raw \x80\r\n",
        b"a: b\r\n\r\nno dot at the end.\r\n\r\n.\r\n\r\n", b"a: b\r\n\r\n" + b"x" * 5000 + b"\r\n",
        b"a: b\r\n\r\n" + b".line\r\n" * 1_500_000,
    ],
)  # fmt: skip
async def test_a_message_arrives_byte_for_byte(message: bytes) -> None:
    outcome, sink = await sent(message=message, timeouts=SmtpTimeouts(data_s=60, dot_s=60))
    assert isinstance(outcome, Accepted)
    assert [taken.raw for taken in sink.taken] == [message]


BROKEN = b"a\n.\r\nMAIL FROM:<x@y>\r\n", b"a\r.\r\r\n", b"a\n\r\n", b"a\r\r\n", b"\n", b"a\r"
NO_ADDRESSES = [
    "", "nobody", "a@b> SIZE=1", "a b@c", "a@b\r\nRCPT TO:<x@y>", "<a@b>", "a@b c", '"a"b@c', "@b", "a@",
    "x" * 320 + "@y",
]  # fmt: skip


@pytest.mark.parametrize(
    ("mail", "refusal"),
    [
        *((outgoing(broken), (554, "DATA")) for broken in BROKEN),
        *((outgoing(to=address), (553, "RCPT")) for address in NO_ADDRESSES),
    ],
)
async def test_what_would_break_the_commands_is_refused_before_a_server_sees_it(
    mail: OutgoingMessage, refusal: tuple[int, str]
) -> None:
    async with running_sink() as sink, to(sink) as transport:
        outcome = await transport.send(mail)
    assert isinstance(outcome, Rejected)
    assert ((outcome.code, outcome.verb), sink.connections) == (refusal, 0)


@pytest.mark.parametrize(
    ("offers", "options"),
    [
         (("8BITMIME",), "BODY=8BITMIME"), ((), ""), (("SIZE 1000", "8BITMIME"), "BODY=8BITMIME SIZE=8"),
    ],
)  # fmt: skip
async def test_eight_bits_are_announced_where_that_is_offered(offers: tuple[str, ...], options: str) -> None:
    async with running_sink(Sink(offers=offers)) as sink, to(sink) as transport:
        assert isinstance(await transport.send(outgoing("é: é\r\n".encode())), Accepted)
    assert sink.taken[0].options == options
    assert sink.taken[0].raw == "é: é\r\n".encode()


async def test_an_address_beyond_ascii_needs_a_provider_that_offers_it() -> None:
    async with running_sink(Sink(offers=("SMTPUTF8",))) as sink, to(sink) as transport:
        assert isinstance(await transport.send(outgoing(to="zoë@mail.test")), Accepted)
        assert isinstance(await transport.send(outgoing()), Accepted)
    async with running_sink(Sink(offers=())) as plain, to(plain) as transport:
        outcome = await transport.send(outgoing(to="zoë@mail.test"))
        after = await transport.send(outgoing())
    assert [taken.options for taken in sink.taken] == ["SMTPUTF8", ""]
    assert outcome == Rejected(
        553, "5.6.7 Mailer: the address is not ASCII and the provider offers no SMTPUTF8", "RCPT"
    )
    assert isinstance(after, Accepted)
    assert (plain.connections, plain.verbs["MAIL"], plain.verbs["RSET"]) == (1, 1, 0)


@pytest.mark.parametrize("verb", [MAIL, RCPT, DATA, DOT])
@pytest.mark.parametrize("code", [450, 451, 452, 454, 500, 550, 552, 554])
async def test_a_refusal_is_of_its_verb_and_keeps_its_text_and_the_connection(verb: str, code: int) -> None:
    async with running_sink() as sink, to(sink) as transport:
        sink.faults(Fault(verb, code=code, text="4.7.1 not now\nsecond line\nthird", times=1))
        outcome = await transport.send(outgoing())
        after = await transport.send(outgoing(to="grace@mail.test"))
    assert outcome == Rejected(code, "4.7.1 not now / second line / third", verb)
    assert isinstance(after, Accepted)
    assert ([taken.recipients for taken in sink.taken], sink.connections) == ([("grace@mail.test",)], 1)


@pytest.mark.parametrize(
    "broken", [Fault(RSET, code=502), Fault(RSET, "drop"), Fault(RSET, "hang"), Fault(RSET, code=421)]
)
async def test_a_server_that_cannot_reset_gets_a_new_connection(broken: Fault) -> None:
    async with running_sink() as sink, to(sink, SHORT if broken.do == "hang" else LONG) as transport:
        sink.faults(Fault(RCPT, code=550, times=1), broken)
        await transport.send(outgoing())
        assert isinstance(await transport.send(outgoing()), Accepted)
    assert sink.connections == 2


AWAYS = [
    (Fault(GREETING, code=554, text="no service"), "greets with 554 no service"),
    (Fault(GREETING, code=421, text="busy"), "greets with 421 busy"),
    (Fault(GREETING, text="no code at all\r\nxyz"), "250"),
    (Fault(EHLO, code=421, text="later"), "421 later"),
    (Fault(MAIL, code=530, text="5.7.0 log in"), "530 to MAIL: 5.7.0 log in"),
    (Fault(MAIL, code=354), "354 to MAIL"),
    (Fault(DATA, code=250), "250 to DATA"),
    (Fault(RCPT, code=999), "999 to RCPT"),
    (Fault(RCPT, text="x" * 9000), "in RCPT"),
    *((Fault(verb, "drop"), "cannot be used") for verb in (GREETING, EHLO)),
    *((Fault(verb, "hang"), "did not answer in time") for verb in (GREETING, EHLO)),
    *((Fault(verb, "drop"), f"in {verb}") for verb in (MAIL, RCPT, DATA)),
    *((Fault(verb, "hang"), f"in {verb}: no answer in time") for verb in (MAIL, RCPT, DATA)),
    *((Fault(verb, code=421, text="closing", drops=True), f"421 to {verb}: closing") for verb in (MAIL, RCPT, DATA)),
]


@pytest.mark.parametrize(("fault", "told"), AWAYS)
async def test_before_the_message_was_handed_over_the_provider_was_away(fault: Fault, told: str) -> None:
    outcome, sink = await sent(fault)
    assert isinstance(outcome, Unreachable)
    assert told in outcome.reason
    assert sink.taken == []


@pytest.mark.parametrize(
    "fault",
    [
         Fault(DOT, "drop", takes=True), Fault(DOT, "drop", takes=False), Fault(DOT, "hang", takes=True),
         Fault(DOT, "hang", seconds=0.7), Fault(DOT, code=354), Fault(DOT, code=999, takes=True),
         Fault(DOT, text="y" * 9000),
    ],
)  # fmt: skip
async def test_after_the_final_dot_anything_but_a_reply_is_ambiguous(fault: Fault) -> None:
    outcome, _ = await sent(fault)
    assert isinstance(outcome, Unanswered)
    assert outcome.reason.startswith("the whole message was handed over, then: ")


async def test_a_reply_after_the_dot_counts_though_the_connection_drops_and_hello_may_be_old() -> None:
    outcome, _ = await sent(Fault(DOT, code=421, text="4.3.0 shutting down", drops=True))
    assert outcome == Rejected(421, "4.3.0 shutting down", ".")
    async with running_sink() as sink, to(sink) as transport:
        sink.faults(Fault(EHLO, code=502), Fault(DOT, drops=True, times=1))
        outcomes = [await transport.send(outgoing()), await transport.send(outgoing())]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert (sink.counts, sink.verbs["HELO"]) == ({"1": 2}, 2)


async def test_a_late_250_is_never_taken_for_the_next_mail() -> None:
    async with running_sink() as sink, to(sink, SHORT) as transport:
        sink.faults(Fault(DOT, "hang", seconds=0.7, times=1), Fault(DOT, code=550))
        outcomes = [await transport.send(outgoing()), await transport.send(outgoing())]
    assert isinstance(outcomes[0], Unanswered)
    assert isinstance(outcomes[1], Rejected)
    assert sink.connections == 2


async def test_an_answer_that_is_there_at_once_is_not_lost() -> None:
    """On uvloop it may be read before anything else runs, and aiosmtplib drops what comes while it does not read."""
    async with running_sink() as sink, to(sink, SHORT) as transport:
        await transport.send(outgoing())
        protocol = transport._idle[0]._client.protocol
        assert protocol is not None
        protocol.transport = AnswersAtOnce(protocol)
        outcome = await transport.send(outgoing())
        transport._idle[0].abort()  # the server still waits for the dot, and would not hear QUIT
    assert outcome == Accepted("at once")


class AnswersAtOnce(asyncio.Transport):
    """Writes what it is given, but the final dot: that it answers itself."""

    def __init__(self, protocol: SMTPProtocol) -> None:
        super().__init__()
        assert protocol.transport is not None
        self._protocol, self._real = protocol, cast(asyncio.Transport, protocol.transport)

    def is_closing(self) -> bool:
        return self._real.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data == b".\r\n":
            self._protocol.data_received(b"250 at once\r\n")
        else:
            self._real.write(data)


async def test_a_reader_too_slow_for_the_message_has_not_got_it() -> None:
    message = b"a: b\r\n\r\n" + b"x" * 20_000_000 + b"\r\n"
    outcome, sink = await sent(Fault(DATA, "slow"), message=message)
    assert outcome == Unreachable("in DATA: no answer in time")
    assert sink.taken == []


USED = [(None, Accepted, 2), (Fault(MAIL, code=421, drops=True, times=1), Accepted, 2),
        (Fault(MAIL, "drop", times=1), Accepted, 2), (Fault(DOT, "drop", times=1), Unanswered, 1)]  # fmt: skip


@pytest.mark.parametrize(("fault", "outcome", "connections"), USED)
async def test_a_used_connection_that_ends_by_the_first_command_is_replaced_once_and_later_it_is_not(
    fault: Fault | None, outcome: type[DeliveryOutcome], connections: int
) -> None:
    """None: it ends while it is idle."""
    async with running_sink() as sink, to(sink) as transport:
        await transport.send(outgoing())
        if fault is not None:
            sink.faults(fault)
        else:
            [session] = sink.sessions
            session.drop()
        assert isinstance(await transport.send(outgoing()), outcome)
    assert (sink.connections, sink.counts) == (connections, {"1": 2})


async def test_each_of_several_mails_has_a_connection_which_is_used_again_and_closed_when_idle() -> None:
    async with running_sink(Sink(latency_s=0.05)) as sink, to(sink, SmtpTimeouts(idle_s=0.5)) as transport:
        for _ in range(2):
            await asyncio.gather(*(transport.send(outgoing()) for _ in range(4)))
        assert (sink.connections, sink.counts) == (4, {"1": 8})
        await eventually(lambda: not sink.sessions)
        assert sink.verbs[QUIT] == 4


async def test_closing_says_quit_and_does_not_wait_for_a_server_that_does_not_answer() -> None:
    async with running_sink() as sink:
        async with to(sink) as transport:
            sink.faults(Fault(QUIT, "hang"))
            await transport.send(outgoing())
        assert sink.verbs[QUIT] == 1


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize("verb", [GREETING, EHLO, MAIL, RCPT, DATA, DOT])
async def test_a_cancelled_mail_closes_its_connection_and_says_whether_it_was_handed_over(
    verb: str, is_used: bool
) -> None:
    async with running_sink() as sink, to(sink, SmtpTimeouts()) as transport:
        if is_used and verb not in (GREETING, EHLO):
            await transport.send(outgoing())
        sink.script = hanging = Hanging(verb)
        sending = asyncio.create_task(transport.send(outgoing()))
        await eventually(lambda: hanging.is_so)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
        assert isinstance(caught.value, NotHandedOver) == (verb != DOT)
        await eventually(lambda: not sink.sessions)
        assert isinstance(await transport.send(outgoing()), Accepted)


@asynccontextmanager
async def encrypted(
    sink: Sink, kind: TlsMode, ca_file: Path | None, timeouts: SmtpTimeouts = LONG
) -> AsyncIterator[SmtpTransport]:
    """A server with TLS of this kind, and who logs in to it."""
    provider = {"tls": kind, "ca_file": ca_file, "user": LOGIN[0], "password": LOGIN[1]}
    async with running_sink(sink, is_implicit=kind is TlsMode.IMPLICIT), to(sink, timeouts, **provider) as transport:
        yield transport


@pytest.mark.parametrize("kind", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_tls_with_a_trusted_certificate(kind: TlsMode, tls: ssl.SSLContext, authority: Authority) -> None:
    async with encrypted(sink := Sink(tls=tls, login=LOGIN), kind, authority.file) as transport:
        for message in (b"." * 300_000 + b"\r\n", MESSAGE):
            assert isinstance(await transport.send(outgoing(message)), Accepted)
    assert sink.taken[0].raw == b"." * 300_000 + b"\r\n"
    assert all(taken.is_encrypted and taken.user == LOGIN[0] for taken in sink.taken)
    assert sink.connections == 1


@pytest.mark.parametrize("kind", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
@pytest.mark.parametrize("host", [HOST, "mail.elsewhere.test"])
async def test_a_certificate_that_does_not_hold_ends_it_before_anything_is_told(
    kind: TlsMode, host: str, authority: Authority
) -> None:
    """Of an authority that nobody trusts, and of another name."""
    sink = Sink(tls=server_context(authority, host), login=LOGIN)
    async with encrypted(sink, kind, None if host == HOST else authority.file) as transport:
        outcome = await transport.send(outgoing())
    assert isinstance(outcome, Unreachable)
    assert "certificate" in outcome.reason
    assert (sink.verbs[AUTH], sink.verbs[MAIL]) == (0, 0)


@pytest.mark.parametrize("fault", [None, Fault(STARTTLS, code=454), Fault(STARTTLS, "drop"), Fault(STARTTLS, "hang")])
async def test_without_starttls_nothing_is_told(fault: Fault | None, tls: ssl.SSLContext, authority: Authority) -> None:
    """None: it is not offered."""
    sink = Sink(tls=tls if fault else None, login=LOGIN)
    sink.faults(*([fault] if fault else []))
    async with encrypted(sink, TlsMode.STARTTLS, authority.file, SHORT) as transport:
        assert isinstance(await transport.send(outgoing()), Unreachable)
    assert (sink.verbs[AUTH], sink.verbs[MAIL]) == (0, 0)


@pytest.mark.parametrize("kind", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_a_server_that_speaks_no_tls_where_it_should(kind: TlsMode) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for answer in (b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n", b"no TLS at all\r\n"):
            if await reader.read(1000):
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, to(Sink(port=server.sockets[0].getsockname()[1]), tls=kind) as transport:
        assert isinstance(await transport.send(outgoing()), Unreachable)


async def test_a_wrong_password_is_no_fault_of_a_mail_and_told_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    user, password = LOGIN[0], "wr0ng-password"
    async with running_sink(Sink(login=LOGIN)) as sink, to(sink, user=user, password=password) as transport:
        plain = await transport.send(outgoing())
        sink.faults(Fault(AUTH, code=535, text=f"5.7.8 {user} with {password} is wrong"))
        repeated = await transport.send(outgoing())
    assert isinstance(plain, Unreachable)
    assert "refuses AUTH: 535 5.7.8 wrong" in plain.reason
    assert isinstance(repeated, Unreachable)
    assert repeated.reason.endswith("535 (it repeats the password)")
    assert password not in repr(transport.__dict__) + "".join(capfd.readouterr())


async def test_what_a_server_says_is_bounded_and_harmless() -> None:
    text = "\x1b[31mred\x00\x07 \u202eevil \udcff".encode("utf-8", "replace").decode() + "z" * 3000
    outcome, _ = await sent(Fault(RCPT, code=550, text=text))
    assert isinstance(outcome, Rejected)
    assert outcome.response.startswith("\N{REPLACEMENT CHARACTER}[31mred")
    assert outcome.response.isprintable()
    assert len(outcome.response) == 1000
