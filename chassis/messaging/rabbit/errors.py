"""Translates the library's errors to the port's: one table for publishing, one for everything else."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiormq import exceptions as theirs

from chassis.error_reason import reason
from chassis.messaging.port import BrokerUnavailable, MessagingError, PublishRefused, TopologyDiffers, Unroutable

Table = Mapping[type[Exception], type[MessagingError]]


class MayNot(TopologyDiffers):
    """The user lacks permission at the broker."""


PUBLISHING: Table = {
    theirs.PublishError: Unroutable,
    theirs.DeliveryError: PublishRefused,
    theirs.ChannelAccessRefused: PublishRefused,
    theirs.ChannelNotFoundEntity: Unroutable,
}
"""Most specific first. After any other error the outcome is unknown: BrokerUnavailable."""
ASKING: Table = {
    theirs.ChannelAccessRefused: MayNot,
    theirs.ChannelNotFoundEntity: TopologyDiffers,
    theirs.ChannelPreconditionFailed: TopologyDiffers,
}
_PYTHON_ERROR = re.compile(r"""\w+Error\((?:\d+, )?['"](.*?)['"]\)""")
"""How the library quotes a cause: `reset: ConnectionResetError(104, 'Connection reset by peer')`."""
_DIFFERENCE = re.compile(
    r"inequivalent arg '([^']+)' for (\w+) '([^']+)' in vhost '[^']*': received (.+) but current is (.+)"
)


@asynccontextmanager
async def answered(what: str, timeout_s: float, table: Table = ASKING) -> AsyncIterator[None]:
    """Translates the block's errors; `what` names the operation. The caller's own cancellation passes through, even if
    the library lost it because the connection broke at that moment."""
    is_cancelled = _cancellation()
    try:
        async with asyncio.timeout(timeout_s):
            try:
                yield
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                # the library cancels what waits on a lost connection
                raise BrokerUnavailable(f"{what}: the connection was lost") from error
    except Exception as error:
        if is_cancelled():
            raise asyncio.CancelledError from error
        if isinstance(error, MessagingError):
            raise
        raise _translated(error, what, timeout_s, table) from error


def _cancellation() -> Callable[[], bool]:
    """Returns whether this task has been cancelled since this call."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    return lambda: task is None or task.cancelling() > before


def _translated(error: Exception, what: str, timeout_s: float, table: Table) -> MessagingError:
    if isinstance(error, TimeoutError):
        return BrokerUnavailable(f"{what}: no answer in {timeout_s:g} s")
    return _ours(error, table)(f"{what}: {_told(error)}")


def _ours(error: Exception, table: Table) -> type[MessagingError]:
    return next((ours for kind, ours in table.items() if isinstance(error, kind)), BrokerUnavailable)


def _told(error: Exception) -> str:
    if isinstance(error, theirs.PublishError):
        return "no queue is bound for it"
    if isinstance(error, theirs.DeliveryError):
        return "the broker refused it (a queue is full)"
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's
        return reason(error)
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    difference = _DIFFERENCE.search(str(error))
    if difference:
        argument, kind, name, wanted, seen = difference.groups()
        return (
            f"the {kind} {name} exists with {argument} {seen.strip(chr(39))}, wanted {wanted.strip(chr(39))}; "
            f"drain and delete it, or change the topology"
        )
    return _PYTHON_ERROR.sub(r"\1", str(error)) or type(error).__name__
