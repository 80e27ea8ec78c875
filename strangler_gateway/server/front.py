"""What all connections of the public port share."""

from collections.abc import Callable
from dataclasses import dataclass

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.own_answers import OwnAnswers
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.settings import Settings
from strangler_gateway.steps.pipeline import Pipeline
from strangler_gateway.table.current_table import CurrentTable


@dataclass(frozen=True, slots=True)
class Front:
    """`done` is called once at the end of each exchange; `refused(peer, reason, reply)` for what never became one."""

    settings: Settings
    current: CurrentTable
    pipeline: Pipeline
    own_answers: OwnAnswers
    done: Callable[[Exchange], None]
    refused: Callable[[str, str, Reply], None]
    batch: WriteBatch
    now: Callable[[], float]
