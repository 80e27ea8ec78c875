"""The runner's queue for operators: GET /internal/queues."""

from collections.abc import Iterator, Sequence

from starlette.routing import Route

from chassis.auth.credentials import SharedTokens, guarded
from chassis.service import operators_status_api
from chassis.service.operators_status import QueueStatus
from extracted.runner.queue import FairQueue


def routes(queue: FairQueue, token: str) -> Iterator[Route]:
    """For bearers of the token."""

    async def queues() -> Sequence[QueueStatus]:
        oldest_s = queue.oldest_s if queue.waiting else None
        refused = ", ".join(f"{count} refused ({reason})" for reason, count in sorted(queue.refusals.items()))
        says = f"{queue.running} run now" + (f"; since the start {refused}" if refused else "")
        return [QueueStatus(name="runs", waiting=queue.waiting, oldest_s=oldest_s, says=says)]

    for method, path, endpoint in operators_status_api.routes(queues):
        yield Route(path, guarded(SharedTokens(token), endpoint), methods=[method])
