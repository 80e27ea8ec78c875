"""Queues of services (`operators:` in routes.yaml): asked of one instance each, and what operators do with them."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from chassis.discovery.port import Instance
from chassis.error_reason import reason
from chassis.service.operators_status import QueueAction, QueueStatus, read
from strangler_gateway.admin.bodies import Unpark
from strangler_gateway.admin.requests import AdminRefusal, unknown_name
from strangler_gateway.admin.views import View
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.table.routes import OperatorsRules, Service
from strangler_gateway.upstream.fetch import FetchedResponse, fetch
from strangler_gateway.upstream.health_checks import MAX_ANSWER, asking

log = logging.getLogger(__name__)

WITHIN_S: Final = 2.0
"""All instances of a service together are asked for so long."""
ACT_WITHIN_S: Final = 5.0
MAX_TOKEN: Final = 4096
MAX_SAID: Final = 200
"""Characters of a service's refusal that are repeated."""
Instances = Callable[[Service], Sequence[Instance]]


class QueuesAway(Exception):
    """Why the queues of a service are not known, as a sentence. `unsure`: the service may have done what was asked."""

    def __init__(self, message: str, *, unsure: bool = False) -> None:
        super().__init__(message)
        self.unsure = unsure


class ServiceQueues:
    """`services`: of the table that is served; `instances`: those that may be called now."""

    def __init__(self, services: Callable[[], Mapping[str, Service]], instances: Instances) -> None:
        self._services, self._instances = services, instances

    async def all(self) -> Mapping[str, View]:
        """By service that has `operators:`: its queues, or `problem`. Never raises for what a service does."""
        asked = [one for one in self._services().values() if one.operators]
        return {one.name: view for one, view in zip(asked, await asyncio.gather(*map(self._view, asked)), strict=True)}

    async def act(self, wanted: Unpark, who: str) -> str:
        """Has the service do it; what it did, as a sentence. Raises AdminRefusal."""
        service, action = await self.found(wanted)
        target = action.path.replace("{id}", quote(wanted.id, safe=""))
        body = json.dumps({"why": wanted.why, "by": who[:100]}).encode()
        what = f"{wanted.action} of {wanted.id} in {wanted.queue} of {service.name}"
        log.warning("%s by %s: %s", what, who, wanted.why)
        try:
            answer = await self._call(service, b"POST", target, ACT_WITHIN_S, body)
        except QueuesAway as exc:
            unsure = "; whether it was done is not known: look at the queue" if exc.unsure else "; nothing was done"
            log.warning("%s: %s%s", what, exc, unsure)
            raise AdminRefusal(502, "service_away", f"{exc}{unsure}") from None
        if not 200 <= answer.status <= 299:
            log.warning("%s: refused with %d", what, answer.status)
            raise AdminRefusal(409, "refused", f"{service.name} refuses it ({answer.status}){_said(answer.body)}")
        return f"{what}: done."

    async def found(self, wanted: Unpark) -> tuple[Service, QueueAction]:
        """The service, and the action, as the service tells now. Raises AdminRefusal."""
        service = self._services().get(wanted.service)
        if service is None or service.operators is None:
            raise unknown_name(wanted.service)
        try:
            queues = await self._queues(service)
        except QueuesAway as exc:
            raise AdminRefusal(502, "service_away", f"{exc}; nothing was done") from None
        queue = next((one for one in queues if one.name == wanted.queue), None)
        if queue is None or wanted.id not in {one.id for one in queue.parked}:
            raise AdminRefusal(409, "not_parked", f"{wanted.id} is not parked in {wanted.queue} (any more)")
        action = next((one for one in queue.actions if one.name == wanted.action), None)
        if action is None:
            known = ", ".join(one.name for one in queue.actions) or "nothing"
            raise AdminRefusal(422, "invalid", f"{wanted.queue} knows {known}, not {wanted.action}")
        return service, action

    async def _view(self, service: Service) -> View:
        try:
            queues = await self._queues(service)
        except QueuesAway as exc:
            return {"problem": str(exc), "queues": []}
        return {"problem": None, "queues": [one.model_dump(mode="json") for one in queues]}

    async def _queues(self, service: Service) -> tuple[QueueStatus, ...]:
        assert service.operators is not None
        answer = await self._call(service, b"GET", service.operators.path, WITHIN_S)
        if answer.status != 200:
            hint = ": check the token of operators:" if answer.status in (401, 403) else ""
            raise QueuesAway(f"{service.name} answered {answer.status} to {service.operators.path}{hint}")
        try:
            if answer.truncated:
                raise ValueError(f"it has more than {MAX_ANSWER} bytes")
            return read(answer.body)
        except ValueError as exc:
            raise QueuesAway(f"the queues of {service.name} cannot be read: {exc}") from None

    async def _call(
        self, service: Service, method: bytes, target: str, within_s: float, body: bytes = b""
    ) -> FetchedResponse:
        """Of the first instance that accepts a connection. Raises QueuesAway."""
        assert service.operators is not None
        fields = _fields(service, _token(service.operators), body)
        problem = "it has no instance"
        try:
            async with asyncio.timeout(within_s):
                for instance in self._instances(service):
                    balancer = asking(service, instance)
                    try:
                        return await fetch(
                            balancer,
                            method,
                            target.encode(),
                            fields,
                            timeout_s=within_s,
                            max_body=MAX_ANSWER,
                            body=body,
                        )
                    except UpstreamError as exc:
                        problem = str(exc).rstrip(".")
                        if exc.stage != "connect":
                            raise QueuesAway(f"{service.name}: {problem}", unsure=True) from None
                    finally:
                        balancer.close()
        except TimeoutError:
            raise QueuesAway(f"{service.name} has not answered within {within_s:g} s", unsure=True) from None
        except (OSError, ValueError) as exc:
            problem = str(exc)
        raise QueuesAway(f"{service.name}: {problem}")


def _fields(service: Service, token: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    fields = [
        (b"Host", service.authority),
        (b"Accept", b"application/json"),
        (b"User-Agent", b"strangler"),
        (b"Authorization", b"Bearer " + token),
        (b"Connection", b"close"),
    ]
    content = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
    return [*fields, *content] if body else fields


def _token(rules: OperatorsRules) -> bytes:
    """Read each time, so that a new one needs no restart. Raises QueuesAway, which names the place alone."""
    where = rules.token_file or rules.token_env or ""
    try:
        text = _first_bytes(Path(where)) if rules.token_file else os.environb.get(where.encode(), b"")
    except OSError as exc:
        raise QueuesAway(f"token_file {where}: {reason(exc)}") from None
    token = text.strip()
    if not token or len(token) > MAX_TOKEN or not all(0x21 <= byte <= 0x7E for byte in token):
        raise QueuesAway(f"{where} holds no token: one line of visible ASCII is wanted")
    return token


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_TOKEN + 2)


def _said(body: bytes) -> str:
    """The sentence of a refusal, if there is one."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    said = content.get("error") or content.get("message") if isinstance(content, dict) else None
    return f": {said[:MAX_SAID]}" if isinstance(said, str) else ""
