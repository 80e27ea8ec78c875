"""The route of the operators' status, GET /internal/queues, and what it says of outboxes and failed messages."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint
from chassis.outbox.failed_messages.message import FailedMessage, FailedMessageGroup
from chassis.service.failed_messages_api import FailedMessageOperations
from chassis.service.operators_status import (
    MAX_PARKED,
    MAX_QUEUES,
    OperatorsStatus,
    ParkedItem,
    QueueAction,
    QueueStatus,
    shortened,
)


class OutboxTrouble(Protocol):
    """Why a destination makes no progress."""

    @property
    def reason(self) -> str: ...


class OutboxStatus(Protocol):
    """What waits in an outbox, by destination, as its relay tells."""

    @property
    def unpublished(self) -> Mapping[str, int]: ...
    @property
    def oldest_s(self) -> Mapping[str, float]: ...
    @property
    def troubles(self) -> Mapping[str, OutboxTrouble]: ...


Queues = Callable[[], Awaitable[Sequence[QueueStatus]]]
FAILED_MESSAGE_ACTIONS: Final = (
    QueueAction(name="retry", path="/internal/parked/{id}/retry"),
    QueueAction(name="drop", path="/internal/parked/{id}/drop"),
)


def routes(queues: Queues) -> Iterator[tuple[str, str, Endpoint]]:
    """(method, path, endpoint)."""
    yield "GET", "/internal/queues", partial(_status, queues)


async def _status(queues: Queues, _request: Request) -> Response:
    status = OperatorsStatus(queues=tuple((await queues())[:MAX_QUEUES]))
    return JSONResponse(status.model_dump(mode="json"))


def outbox_queues(relay: OutboxStatus) -> Sequence[QueueStatus]:
    """One for each destination at which messages wait, or one that is empty. The trouble of "" is the database's."""
    names = sorted(relay.unpublished.keys() | relay.troubles.keys())
    return [_outbox(relay, name) for name in names] or [QueueStatus(name="outbox")]


def _outbox(relay: OutboxStatus, name: str) -> QueueStatus:
    trouble = relay.troubles.get(name)
    return QueueStatus(
        name=f"outbox {name}".strip()[:200],
        waiting=relay.unpublished.get(name, 0),
        oldest_s=relay.oldest_s.get(name),
        state="stuck" if trouble else "ok",
        says=shortened(trouble.reason) if trouble else "",
    )


async def failed_message_queues(messages: FailedMessageOperations) -> Sequence[QueueStatus]:
    """One for each queue of which messages have failed. Raises StoreUnavailable."""
    by_queue: dict[str, list[FailedMessageGroup]] = {}
    for group in await messages.grouped(None):
        by_queue.setdefault(group.queue, []).append(group)
    return [await _failed(messages, name, groups) for name, groups in sorted(by_queue.items())]


async def _failed(messages: FailedMessageOperations, name: str, groups: Sequence[FailedMessageGroup]) -> QueueStatus:
    oldest_s = (datetime.now(UTC) - min(group.first_at for group in groups)).total_seconds()
    return QueueStatus(
        name=f"failed messages of {name}"[:200],
        waiting=sum(group.count for group in groups),
        oldest_s=max(0.0, oldest_s),
        state="parked",
        parked=tuple(map(_parked, await messages.listed(name, "", MAX_PARKED))),
        actions=FAILED_MESSAGE_ACTIONS,
    )


def _parked(row: FailedMessage) -> ParkedItem:
    again = f"; tried again at {row.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC" if row.next_attempt_at else ""
    why = shortened(row.reason)[:400] + again
    return ParkedItem(id=row.id, what=shortened(row.type or "no type"), why=why, at=row.first_at)
