"""`breaker:` of a service as rules."""

from typing import Literal, TypedDict

from strangler_gateway.config.resilience_model import BreakerEntry
from strangler_gateway.table.rules.resilience import NO_BREAKER, BreakerRules


class BreakerFields(TypedDict, total=False):
    """Those of a service that the entry sets."""

    breaker: BreakerRules
    breaker_failures: int
    breaker_open_s: float


def breaker_fields(entry: BreakerEntry | Literal["off"] | None) -> BreakerFields:
    """An entry of `failures` and `open_s` alone is as old as digests, and stays in the fields that they know."""
    if entry is None:
        return {}
    if entry == "off":
        return {"breaker": NO_BREAKER}
    written = entry.model_dump(exclude_none=True)
    if entry.failures and written.keys() <= {"failures", "open_s"}:
        return {"breaker_failures": entry.failures, "breaker_open_s": entry.open_s or 5.0}
    return {"breaker": _rules(entry)}


def _rules(entry: BreakerEntry) -> BreakerRules:
    """Errors count where they are written, or where nothing else would open the breaker."""
    usual = BreakerRules()
    open_s = entry.open or entry.open_s or usual.open_s
    return BreakerRules(
        failures=entry.failures or 0,
        errors=entry.errors or (0.0 if entry.failures or entry.slow else usual.errors),
        slow_s=entry.slow or 0.0,
        slow_calls=entry.slow_calls or usual.slow_calls,
        min=entry.min or usual.min,
        window_s=entry.window or usual.window_s,
        open_s=open_s,
        longest_s=max(open_s, usual.longest_s),
        probes=entry.probes or usual.probes,
    )
