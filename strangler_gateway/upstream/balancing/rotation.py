"""Which instances take calls now: all but those that are left out for a while, never none."""

import logging
from collections.abc import Callable, Collection, Sequence
from math import inf

from strangler_gateway.table.rules.balance import BalanceRules
from strangler_gateway.telemetry.instances import InstanceState
from strangler_gateway.upstream.balancing.choice import taking_part, two_of, weight
from strangler_gateway.upstream.connections.pool import Pool
from strangler_gateway.upstream.health.instance_health import HALF_WINDOW_S
from strangler_gateway.upstream.health.outliers import Recent, is_outlier, may_be_ejected

log = logging.getLogger(__name__)


class Rotation:
    """The pools of one service. With one pool there is nothing to judge, and nothing is kept."""

    def __init__(self, rules: BalanceRules, draw: Callable[[], float]) -> None:
        self.rules = rules
        self.pools: list[Pool] = []
        self._draw = draw
        self.out: set[Pool] = set()
        """Those that are left out, if another one can be asked."""
        self._taking: list[Pool] = []
        self._young: list[float] | None = None
        """The weights of `_taking`, while one of them is in its slow start."""
        self._turn_at = -inf

    def set_pools(self, pools: list[Pool], now: float) -> None:
        """From now on these are all."""
        self.pools = pools
        for pool in pools:
            pool.watch(len(pools) > 1)
        self._admit(now)

    def chosen(self) -> Pool | None:
        """Of two random ones the one with fewer calls under way. None: there is no instance."""
        if self._young is not None:
            return self._less_busy(taking_part(self._taking, self._young, self._draw))
        return self._less_busy(self._taking)

    def chosen_besides(self, tried: Collection[object]) -> Pool | None:
        """The same, of those that were not tried; at worst one that is left out."""
        taking = [pool for pool in self._taking if pool not in tried]
        return self._less_busy(taking or [pool for pool in self.pools if pool not in tried])

    def judge(self, pool: Pool, now: float) -> None:
        """After a failure: whether the instance is left out from now on."""
        health, rules = pool.health, self.rules.eject
        if not pool.watched or pool in self.out:
            return
        if not health.is_unreachable(rules):
            if not is_outlier(health.in_a_row, health.recent, self._others(pool), rules):
                return
            if not may_be_ejected(len(self.out), len(self.pools), rules):
                return
            health.eject(now, rules)
        self._admit(now)

    def _others(self, pool: Pool) -> Recent:
        """What became of the requests of those that are not left out."""
        others = Recent()
        for one in self.pools:
            if one is not pool and one not in self.out:
                others += one.health.recent
        return others

    def _is_out(self, pool: Pool, now: float) -> bool:
        """Whether the instance is to be left out, if another one can be asked."""
        health = pool.health
        return now < health.out_until or not health.is_well(self.rules.eject)

    def state(self, pool: Pool, now: float) -> InstanceState:
        """In one word."""
        health = pool.health
        if health.fails_checks:
            return "unchecked"
        if health.is_unreachable(self.rules.eject):
            return "unreachable"
        if now < health.out_until:
            return "failing"
        return "slow_start" if weight(now - pool.since, self.rules.slow_start_s) < 1.0 else "in"

    def sweep(self, now: float) -> None:
        """Lets windows go on, and those back whose time is over; called a few times a second."""
        if now >= self._turn_at:
            self._turn_at = now + HALF_WINDOW_S
            for pool in self.pools:
                pool.health.turn()
        self._admit(now)

    def _admit(self, now: float) -> None:
        out = {pool for pool in self.pools if self._is_out(pool, now)}
        for pool in out ^ self.out:
            self._changed(pool, pool in out, now)
        self.out = out & set(self.pools)
        self._taking = self._asked(out)
        weights = [weight(now - pool.since, self.rules.slow_start_s) for pool in self._taking]
        self._young = weights if any(part < 1.0 for part in weights) else None

    def _changed(self, pool: Pool, is_out: bool, now: float) -> None:
        where = (pool.instance.id, pool.service.name)
        if is_out:
            pool.health.ejections += 1
            log.warning("the instance %s of %s is left out: it fails more than the others", *where)
        else:
            pool.since = now
            pool.health.forget()
            log.info("the instance %s of %s is asked again", *where)

    def _asked(self, out: Collection[Pool]) -> list[Pool]:
        """Where all are out, those that can be reached at least, else all."""
        asked = [pool for pool in self.pools if pool not in out]
        if not asked:
            asked = [pool for pool in self.pools if pool.health.is_well(self.rules.eject)]
        return asked or self.pools

    def _less_busy(self, pools: Sequence[Pool]) -> Pool | None:
        count = len(pools)
        if count < 2:
            return pools[0] if count else None
        first, second = two_of(count, self._draw)
        one, two = pools[first], pools[second]
        # Recent failures count, too: who fails fast must not attract all calls.
        one_load = len(one.active) + one.health.recent_failures
        return two if len(two.active) + two.health.recent_failures < one_load else one
