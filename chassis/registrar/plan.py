"""What has to change at the agent, so that it has what is in the list. Pure.

Tags say who has registered an instance, since an agent of 2017 has no other place for it: `registrar=NAME`, and
`check=DIGEST` of how it is checked, which an agent does not tell.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis.consul.values import Check, ServiceInstance
from chassis.registrar.entries import Entry

OWNER = "registrar="
_CHECK = "check="


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """`foreign`: in the list, but registered by somebody else, who is to remove it."""

    register: tuple[Entry, ...] = ()
    deregister: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def planned(
    entries: Sequence[Entry], registered: Iterable[ServiceInstance], owner: str, check_interval_s: float
) -> RegistrationPlan:
    """Only what carries this owner's tag is ever replaced or removed."""
    known: Mapping[str, ServiceInstance] = {one.id: one for one in registered}
    wanted = {entry.id: instance(entry, owner, check_interval_s) for entry in entries}
    by_id = {entry.id: entry for entry in entries}
    mine = {id for id, one in known.items() if OWNER + owner in one.tags}
    foreign = {id for id in wanted if id in known and id not in mine}
    changed = [id for id, one in wanted.items() if id not in foreign and known.get(id) != one]
    return RegistrationPlan(
        tuple(by_id[id] for id in changed), tuple(sorted(mine - wanted.keys())), tuple(sorted(foreign))
    )


def instance(entry: Entry, owner: str, check_interval_s: float) -> ServiceInstance:
    """As it is registered."""
    checked = f"{entry.health_url} {check_interval_s:g}".encode()
    marks = {OWNER + owner, _CHECK + hashlib.sha256(checked).hexdigest()[:12]}
    return ServiceInstance(entry.id, entry.service, entry.host, entry.port, frozenset({*entry.tags, *marks}))


def check(entry: Entry, interval_s: float) -> Check:
    """How the agent finds out whether it is ready."""
    return Check(entry.health_url, interval_s=interval_s, timeout_s=max(1.0, min(interval_s, 5.0)))
