"""How failed log-ins are counted: three scopes, each a level that rises by failures and drains with time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil, log2

NEVER_WAITS = timedelta(0)


class AttemptScope(StrEnum):
    """Whose failures count together."""

    PAIR = "pair"
    """Of one user from one address."""
    ADDRESS = "address"
    """Of all users from one address, also of identities that nobody has."""
    USER = "user"
    """Of one user from all addresses but those from which the user has logged in."""


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """`failures`: how many within `window` cost no wait, by scope; 0: any number. `known_for`: of an address."""

    failures: Mapping[AttemptScope, int]
    window: timedelta
    longest_wait: timedelta
    known_for: timedelta


@dataclass(frozen=True, slots=True)
class AttemptLevel:
    """Failures that have not drained yet, as of `at`. Until `blocked_until` every attempt is refused."""

    level: float = 0.0
    at: datetime | None = None
    blocked_until: datetime | None = None
    known_until: datetime | None = None

    def is_blocked(self, now: datetime) -> bool:
        """Whether an attempt has to be refused."""
        return self.blocked_until is not None and now < self.blocked_until

    def is_known(self, now: datetime) -> bool:
        """Of a pair: whether the user has logged in from the address."""
        return self.known_until is not None and now < self.known_until

    def risen(self, free: int, rules: AttemptRules, now: datetime) -> "AttemptLevel":
        """After one more failure. `free`: how many cost no wait; above, each doubles the wait, up to the longest."""
        highest = free + 1 + ceil(log2(max(rules.longest_wait.total_seconds(), 1)))
        level = min(drained(self, free, rules, now) + 1, highest)
        wait = _wait(level - free, rules.longest_wait)
        return AttemptLevel(level, now, now + wait if wait else None, self.known_until)


def drained(counted: AttemptLevel, free: int, rules: AttemptRules, now: datetime) -> float:
    """What is left of a level: `free` failures drain within one window."""
    gone = 0.0 if counted.at is None else (now - counted.at) / rules.window * free
    return max(counted.level - max(gone, 0.0), 0.0)


def _wait(excess: float, longest: timedelta) -> timedelta:
    """1 s, 2 s, 4 s, …"""
    if excess <= 0:
        return NEVER_WAITS
    return min(timedelta(seconds=2 ** (ceil(excess) - 1)), longest)


def keys(user_id: str | None, address: str | None) -> dict[AttemptScope, str]:
    """The keys that an attempt counts under: digests, so a table of them has no address. Unknown values have none."""
    network = None if address is None else network_of(address)
    parts = {AttemptScope.PAIR: (user_id, network), AttemptScope.ADDRESS: (network,), AttemptScope.USER: (user_id,)}
    return {scope: _digest(scope, *filter(None, part)) for scope, part in parts.items() if all(part)}


def network_of(address: str) -> str:
    """The address itself; of IPv6 its /64, which one household has whole; of a mapped IPv4 address that."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
