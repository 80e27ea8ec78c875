"""The gate's evidence as JSON-able values: for the admin API and the journal."""

from collections.abc import Mapping
from typing import Any

from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.migration.gate.verdict import CanaryVerdict, ParityVerdict

MAX_ROUTES = 100

View = dict[str, Any]


def shown(known: GateEvidence) -> View:
    """Numbers of this step, parts and not per cent.

    `limits`, in canary: how much more often the new side fails, at least and at most; in shadow: which part is equal.
    """
    view: View = {
        "verdict": known.verdict,
        "seconds": round(known.now - known.since, 3),
        "requests_per_second": round(known.per_second, 6),
        "routes": {route: sides(counts) for route, counts in busiest(known.requests)},
    }
    if known.canary is not None:
        view |= _canary(known.canary) | {"never_asked": sorted(known.never_asked)[:MAX_ROUTES]}
    if known.parity is not None:
        view |= _parity(known.parity)
    return view | ({"example": dict(known.example)} if known.example else {})


def busiest(routes: Mapping[str, Counts]) -> list[tuple[str, Counts]]:
    """Routes with requests, those that fail first: a line of the journal is bounded."""
    asked = [(route, counts) for route, counts in routes.items() if any(counts)]
    return sorted(asked, key=lambda one: (-one[1].failed_new, -one[1].new, -one[1].legacy))[:MAX_ROUTES]


def _canary(found: CanaryVerdict) -> View:
    return {
        "counted": sides(found.counts),
        "users": sides(found.users),
        "veto": found.veto,
        "limits": [rounded(found.lower), rounded(found.upper)],
        "delta": rounded(found.delta),
        "look": {
            "at": found.looked_at,
            "upper": None if found.upper_at_look is None else rounded(found.upper_at_look),
            "next": found.next_look,
        },
    }


def _parity(found: ParityVerdict) -> View:
    return {
        "equal": found.equal,
        "different": found.different,
        "moved": found.moved,
        "limits": [rounded(found.lower), rounded(found.upper)],
        "parity": rounded(found.required),
        "look": {"at": found.looked_at, "next": found.next_look},
    }


def sides(counts: Counts) -> View:
    """Failures and requests of both sides."""
    return {
        "extracted": {"failed": counts.failed_new, "of": counts.new},
        "legacy": {"failed": counts.failed_legacy, "of": counts.legacy},
    }


def rounded(part: float) -> float:
    """A part as it is shown."""
    return round(part, 6)
