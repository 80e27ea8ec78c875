"""Makes retire reports, and checks those with which a group is to retire."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from strangler_gateway.admin.requests import AdminRefusal, caller, query_field, unknown_name
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.states import SeenReport
from strangler_gateway.retirement.document import ReportInvalid, canonical
from strangler_gateway.retirement.report import MAX_ENTRIES, Findings, report
from strangler_gateway.retirement.signature import signed, verified

MAX_DOCUMENT = 1 << 20
"""Bytes of a body with a report."""


class Retirement:
    """`name`: this gateway, in its reports. `keys`: it signs with the first one, and accepts all."""

    def __init__(self, migration: Migration, keys: KeySet, name: str) -> None:
        self._migration, self._keys, self._name = migration, keys, name

    async def report(self, request: Request) -> Response:
        """`GET /retire-report?unit=GROUP[&who=…]`: the signed document, whether it is a proof or not."""
        who = caller(request, request.query_params.get("who", "")[:100])
        found = await self._findings(query_field(request, "unit"), who)
        return JSONResponse(signed(report(found), self._keys))

    async def _findings(self, name: str, who: str) -> Findings:
        migration = self._migration
        await migration.refresh()
        movable = migration.movable_of(name)
        if movable is None:
            raise unknown_name(name)
        _, counted = await migration.known(movable.name)
        return Findings(
            table=migration.served,
            movable=movable,
            standing=migration.standings[movable.name],
            counted=counted.stats,
            problems=counted.problems,
            runs={gateway or self._name: runs for gateway, runs in counted.runs.items()},
            entries=migration.log(MAX_ENTRIES, movable.name),
            now=counted.stats.wall(),
            gateway=self._name,
            who=who,
        )

    def seen(self, document: Mapping[str, Any] | None) -> SeenReport | None:
        """The report that a flip brings. Raises AdminRefusal if this gateway's keys have not signed it."""
        if document is None:
            return None
        try:
            found = verified(document, self._keys)
            made_at = datetime.fromisoformat(found["made_at"]).timestamp()
            digest = hashlib.sha256(canonical(found)).hexdigest()[:16]
            return SeenReport(str(found["group"]), made_at, found["proven"] is True, digest, str(found["asked_by"]))
        except (ReportInvalid, LookupError, TypeError, ValueError) as exc:
            raise AdminRefusal(422, "report", f"the report cannot be used: {exc}") from None
