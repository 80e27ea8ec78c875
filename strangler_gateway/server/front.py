"""What all connections of the public port share."""

from collections.abc import Callable
from dataclasses import dataclass

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.own_answers import OwnAnswers
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.server.admission import AdmissionControl
from strangler_gateway.settings import Settings
from strangler_gateway.steps.pipeline import Pipeline
from strangler_gateway.table.current_table import CurrentTable


@dataclass(frozen=True, slots=True)
class Front:
    """`done(exchange, now)` is called once at the end of each exchange, `refused(peer, reason, reply)` for what never
    became one; `now`: monotonic seconds.
    """

    settings: Settings
    keep_alive_s: float
    """As in `settings`, where reading is dear, and each request does."""
    current: CurrentTable
    pipeline: Pipeline
    own_answers: OwnAnswers
    done: Callable[[Exchange, float], None]
    refused: Callable[[str, str, Reply], None]
    batch: WriteBatch
    now: Callable[[], float]
    admission: AdmissionControl
