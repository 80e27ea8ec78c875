"""One connection to a provider. It sends each command itself, so that it knows how far a mail had come.

aiosmtplib's DATA command turns bare CR and LF into CRLF, and does not tell whether the final dot was sent.
"""

import asyncio
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPServerDisconnected, SMTPTimeoutError

from extracted.mailer.delivery.provider import NotHandedOver, SmtpTimeouts
from extracted.mailer.domain import Accepted, DeliveryOutcome, OutgoingMessage, Rejected, Unanswered, Unreachable
from extracted.mailer.smtp_out.handshake import abort, writable
from extracted.mailer.smtp_out.text import as_text, on_the_wire

QUIT_S: Final = 2.0
_LOOK_S: Final = 0.02
_GOES_ON: Final = {"RSET": 2, "MAIL": 2, "RCPT": 2, "DATA": 3, ".": 2}
"""Verb → the first digit of the reply that it needs to go on."""
_NOT_LET_IN: Final = {530, 534, 535, 538}
"""RFC 4954: our AUTH is wrong, whatever the mail."""


class Stopped(Exception):
    """A reply that ends the sending of this mail; `outcome` says how."""

    def __init__(self, outcome: Rejected | Unreachable | Unanswered) -> None:
        super().__init__()
        self.outcome = outcome


class ProviderConnection:
    """On a client that `connect` has logged in. One mail at a time."""

    def __init__(self, client: SMTP, timeouts: SmtpTimeouts) -> None:
        self._client = client
        self._timeouts = timeouts
        self._is_used = False
        self._has_mail = False
        """MAIL was sent and nothing has ended the transaction for sure."""
        self._is_handed_over = False
        self.idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        """As far as is known: the server may just be closing it."""
        return self._client.is_connected

    async def send(self, outgoing: OutgoingMessage) -> DeliveryOutcome | None:
        """None: the kept connection turned out to be closed before it took anything of this mail."""
        self._is_handed_over = False
        verb = "RSET"
        try:
            if self._has_mail:
                await self._say(verb)
            verb = "MAIL"
            self._has_mail = True
            await self._say(verb, self._mail(outgoing))
            verb = "RCPT"
            await self._say(verb, f"TO:<{outgoing.recipient}>")
            verb = "DATA"
            await self._say(verb)
            verb = "."
            return await self._hand_over(on_the_wire(outgoing.message))
        except Stopped as stopped:
            return self._stopped(stopped.outcome, verb)
        except (SMTPException, OSError) as error:
            return self._stopped(self._broken(error, verb), verb)
        except asyncio.CancelledError as cancelled:
            self.abort()
            if self._is_handed_over:
                raise
            raise NotHandedOver from cancelled
        except BaseException:
            self.abort()
            raise
        finally:
            self._is_used = True

    async def quit(self) -> None:
        """Sends QUIT and closes; does not wait long for the reply."""
        try:
            await self._client.quit(timeout=QUIT_S)
        except (SMTPException, OSError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Closes it at once."""
        abort(self._client)

    def _stopped(self, outcome: Rejected | Unreachable | Unanswered, verb: str) -> DeliveryOutcome | None:
        if isinstance(outcome, Rejected) and verb != "RSET":
            return outcome
        self.abort()
        is_stale = self._is_used and verb in ("RSET", "MAIL")
        return None if is_stale else outcome

    def _broken(self, error: Exception, verb: str) -> Unreachable | Unanswered:
        """Before the final dot a server must not take a mail (RFC 5321 section 4.1.1.4); after it, it may have."""
        is_late = isinstance(error, SMTPTimeoutError | TimeoutError)
        what = "no answer in time" if is_late else as_text(str(error)) or type(error).__name__
        if self._is_handed_over:
            return Unanswered(f"the whole message was handed over, then: {what}")
        return Unreachable(f"in {'DATA' if verb == '.' else verb}: {what}")

    def _mail(self, outgoing: OutgoingMessage) -> str:
        """Raises Stopped for an address that this provider cannot take."""
        offers, options = self._client.supports_extension, [f"FROM:<{outgoing.sender}>"]
        if not (outgoing.sender + outgoing.recipient).isascii():
            if not offers("smtputf8"):
                self._has_mail = False
                text = "5.6.7 Mailer: the address is not ASCII and the provider offers no SMTPUTF8"
                raise Stopped(Rejected(553, text, "RCPT"))
            options.append("SMTPUTF8")
        if offers("8bitmime") and not outgoing.message.isascii():
            options.append("BODY=8BITMIME")
        if offers("size"):
            options.append(f"SIZE={len(outgoing.message)}")
        return " ".join(options)

    async def _say(self, verb: str, argument: str | None = None) -> None:
        """Raises Stopped, SMTPException."""
        words = (verb.encode(),) if argument is None else (verb.encode(), argument.encode())
        self._expect_to_go_on(await self._client.execute_command(*words, timeout=self._timeouts.command_s), verb)

    async def _hand_over(self, wire: bytes) -> Accepted:
        """Sends the dot when everything before it has left: a fault before that means not taken. Raises as `_say`."""
        protocol = self._client.protocol
        if protocol is None:
            raise SMTPServerDisconnected("Connection lost")
        reading = asyncio.create_task(protocol.read_response())
        try:
            await asyncio.sleep(0)  # aiosmtplib drops what comes before it reads; on uvloop, that may be the reply
            protocol.write(wire)
            async with asyncio.timeout(self._timeouts.data_s):
                await self._left(reading)
            if not reading.done():
                protocol.write(b".\r\n")
                self._is_handed_over = True
            async with asyncio.timeout(self._timeouts.dot_s):
                reply = await reading
        finally:
            reading.cancel()
        self._expect_to_go_on(reply, ".")
        self._has_mail = False
        return Accepted(as_text(reply.message))

    async def _left(self, reading: asyncio.Task[SMTPResponse]) -> None:
        """Until nothing is buffered here, or the server replies early: then it refuses."""
        while not reading.done() and self._client.transport is not None:
            if not writable(self._client.transport).get_write_buffer_size():
                return
            await asyncio.sleep(_LOOK_S)

    def _expect_to_go_on(self, reply: SMTPResponse, verb: str) -> None:
        if reply.code // 100 == _GOES_ON[verb] and (verb != "." or self._is_handed_over):
            return
        text, is_mine = as_text(reply.message), 400 <= reply.code <= 599
        if verb == "." and not self._is_handed_over:
            self.abort()  # it still waits for the message, and would read commands as a part of it
        if is_mine and reply.code not in _NOT_LET_IN and (reply.code != 421 or self._is_handed_over):
            raise Stopped(Rejected(reply.code, text, verb))
        if is_mine or not self._is_handed_over:
            raise Stopped(Unreachable(f"{reply.code} to {verb}: {text}"))
        raise Stopped(Unanswered(f"the whole message was handed over, then: {reply.code} {text}"))
