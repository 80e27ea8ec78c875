"""What stands behind the admin port: one of each, for the API and for the page."""

import time
from collections.abc import Callable

from strangler_gateway.admin.auth import access
from strangler_gateway.admin.gateways import Gateways
from strangler_gateway.admin.operations import Operations
from strangler_gateway.admin.parts import AdminParts
from strangler_gateway.admin.reports import Reports
from strangler_gateway.admin.retirement import Retirement
from strangler_gateway.admin.service_queues import ServiceQueues
from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.overview import Overview
from strangler_gateway.overview.sampler import Sampler
from strangler_gateway.overview.totals import Totals


class AdminDesk:
    """Who may do what (`access`), what is told (`reports`, `overview`), what is done (`operations`).

    `clock` tells monotonic seconds, `wall` Unix seconds. Somebody has to let `sampler` run.
    """

    def __init__(
        self,
        parts: AdminParts,
        migration: Migration,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.parts, self.migration = parts, migration
        self.access = access(parts.settings)
        others = (parts.joined.members, parts.joined.peers) if parts.joined is not None else ()
        totals = Totals(parts.stats, parts.examples, migration.refresh, *others)
        self.gateways = Gateways(parts.joined, parts.counts, migration, parts.tokens, totals)
        self.retirement = Retirement(migration, parts.keys.keys, parts.name)
        self.operations = Operations(migration, self.gateways, self.retirement.seen)
        self.queues = ServiceQueues(lambda: migration.served.services, parts.discovered.instances)
        self.reports = Reports(parts, migration, totals, self.gateways)
        self.sampler = Sampler(migration, totals, parts.history, clock, wall)
        self.overview = Overview(migration, self.sampler, self.gateways.listing)
