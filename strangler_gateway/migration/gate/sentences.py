"""Why the gate refuses a step, as sentences: what was found, what is required, what is missing, how long it takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from strangler_gateway.evidence.latency import (
    LEAST_LEGACY,
    PAIRS,
    SMALLER_PAIRS,
    Beyond,
    Question,
    TimingEvidence,
    TimingVerdict,
)
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.migration.gate.verdict import CanaryVerdict, ParityVerdict, Verdict
from strangler_gateway.migration.states import RefusalCode

Refused = tuple[RefusalCode, str]
"""A code and a sentence."""
_MOST_ROUTES = 5


def refused(unit: str, known: GateEvidence) -> Iterator[Refused]:
    """Why the movable may make no step forward from where it stands; nothing where no gate is asked."""
    yield from _out_of_canary(unit, known)
    yield from _out_of_shadow(unit, known)
    timed = known.timed()
    if timed.latency is not None and timed.latency.verdict is TimingVerdict.BEYOND:
        yield "slow", f"{unit}: the new side is slow: {timing(known, timed.latency)}; make the service faster"
    if timed.size is not None and timed.size.verdict is TimingVerdict.BEYOND:
        yield "sizes", f"{unit}: answers of the new side have other sizes: {timing(known, timed.size)}"


def _out_of_canary(unit: str, known: GateEvidence) -> Iterator[Refused]:
    found = known.canary
    if found is None:
        return
    if found.verdict is Verdict.WORSE:
        yield "worse", f"{unit}: {_worse(known, found)}"
    elif found.veto:
        yield "users", f"{unit}: {_users(found)}"
    elif found.verdict is Verdict.WAIT:
        yield "wait", f"{unit}: {_wait(known, found)}"
    if known.never_asked:
        yield "never_asked", f"{unit}: {_never_asked(known)}"


def _out_of_shadow(unit: str, known: GateEvidence) -> Iterator[Refused]:
    found = known.parity
    if found is None or found.verdict is Verdict.PASS:
        return
    seen = found.equal + found.different
    if found.different and (found.verdict is Verdict.WORSE or not found.shown):
        yield "differences", f"{unit}: {_differences(known, found)}"
    elif seen and not found.shown:
        yield "wait", f"{unit}: {_too_few(known, found)}"
    if found.unsettled:
        yield (
            "moved",
            f"{unit}: {found.moved} of {seen + found.moved} answers were left out because the data had moved, "
            "at most 20 % may be: compare at a quieter time, or `ignore:` what always changes",
        )


def tolerated(unit: str, known: GateEvidence) -> Iterator[str]:
    """Differences that do not refuse the step."""
    found = known.parity
    if found is not None and found.verdict is Verdict.PASS and found.different:
        yield f"{unit}: {found.different} of {found.equal + found.different} answers differ: `strangler differences`"


def _worse(known: GateEvidence, found: CanaryVerdict) -> str:
    return (
        f"the new side fails more often than legacy, by at least {_percent(found.lower)}: {numbers(known, found)}; "
        f"repair the service, then begin anew with a flip back and forward{_by_route(known.routes)}"
    )


def _users(found: CanaryVerdict) -> str:
    users = found.users
    return (
        f"more users meet a failure on the new side: {users.failed_new} of {users.new} users, "
        f"on legacy {users.failed_legacy} of {users.legacy}; look for what fails for some users only, "
        "repair it, then begin anew with a flip back and forward"
    )


def _never_asked(known: GateEvidence) -> str:
    routes = {f"{route} ({span(known.now - at)} ago)": int(at) for route, at in known.never_asked.items()}
    return (
        f"legacy was asked for {_most(routes)}, and the new side never in this canary: wait until it was "
        "(callers without a user stay on legacy with `anonymous: legacy`)"
    )


def _wait(known: GateEvidence, found: CanaryVerdict) -> str:
    more = _missing(max(found.next_look - found.counts.new, 0), known, "requests to the new side")
    shown = ""
    if found.upper_at_look is not None:
        shown = (
            f"after {found.looked_at} of them the new side may fail up to {_percent(found.upper_at_look)} more often "
            f"than legacy, less than {_percent(found.delta)} must be shown; "
        )
    return (
        f"not enough is known yet: {numbers(known, found)}; {shown}the next look is at {found.next_look}: "
        f"{more}{_by_route(known.routes)}"
    )


def _too_few(known: GateEvidence, found: ParityVerdict) -> str:
    return (
        f"shadow found {found.equal} equal answers ({_listed(known.compared)}) and no difference, which shows that "
        f"{_percent(found.lower)} are equal; the next look is at {found.next_look}: "
        f"{_missing(max(found.next_look - found.equal, 0), known, 'comparisons')}"
    )


def _differences(known: GateEvidence, found: ParityVerdict) -> str:
    seen = found.equal + found.different
    text = (
        f"{found.different} of {seen} answers differ ({_listed(known.differing)}), so between {_percent(found.lower)} "
        f"and {_percent(found.upper)} are equal, and {_percent(found.required)} must be"
    )
    classes = [f"{name} {bad} of {equal + bad}" for name, (equal, bad) in known.differing_classes.items()]
    text += f" (by themselves: {', '.join(classes[:_MOST_ROUTES])})" if classes else ""
    if found.verdict is Verdict.WORSE:
        return f"{text}: fix the service, then go back to legacy and to shadow again; or `accept:` what may differ"
    more = _missing(max(found.next_look - seen, 0), known, "comparisons")
    return f"{text}; the next look is at {found.next_look}: {more}, or fix the service and begin again"


def numbers(known: GateEvidence, found: CanaryVerdict) -> str:
    """All requests; and those that count, where these are fewer."""
    counts = found.counts
    everything = Counts(*map(sum, zip(Counts(), *known.requests.values(), strict=True)))
    text = (
        f"in {known.position} for {span(known.now - known.since)}, {everything.failed_new} of {everything.new} "
        f"requests to the new side failed, {everything.failed_legacy} of {everything.legacy} to legacy"
    )
    if counts != everything:
        text += (
            f" (of users who were drawn, each until the first failure: {counts.failed_new} of {counts.new}, "
            f"legacy {counts.failed_legacy} of {counts.legacy})"
        )
    return text


def timing(known: GateEvidence, found: TimingEvidence) -> str:
    """Which part lies beyond legacy's, and which part would."""
    times = known.rules.p95_ratio
    parts = found.parts
    if found.verdict is TimingVerdict.BEYOND:
        parts = tuple(part for part in found.parts if part.is_beyond) or next(iter(found.routes.values()))
    text = ", ".join(f"{_percent(one.beyond / one.of)} of {one.of} {_beyond(one.question, times)}" for one in parts)
    routes = f" (by themselves: {', '.join(sorted(found.routes)[:_MOST_ROUTES])})" if found.routes else ""
    return text + routes


def too_few(known: GateEvidence, found: TimingEvidence) -> str:
    """What rule 3 waits for."""
    skips = known.timed().skips_s
    if skips:
        return f"the first {span(known.rules.latency_skip_s)} of a step do not count: {span(skips)} more"
    if found.answers < found.least:
        return _missing(found.least - found.answers, known, f"answers (of {found.least})")
    if found.legacy is not None and found.legacy < LEAST_LEGACY:
        return f"only {found.legacy} answers of legacy to compare with, {LEAST_LEGACY} are needed"
    return f"not clear yet: {timing(known, found)}"


def _beyond(question: Question, times: float) -> str:
    """As in `are above 1.2 × legacy's p95 (7 % may be)`."""
    of = "legacy's answer" if question in (PAIRS, SMALLER_PAIRS) else f"legacy's p{question.quantile * 100:g}"
    where = f"above {times:g} × {of}" if question.side is Beyond.ABOVE else f"below {of} / {times:g}"
    return f"are {where} (up to {_percent(question.expected)} may be)"


def _by_route(routes: Mapping[str, Counts]) -> str:
    """Failures and requests of the new side, the worst route first."""
    asked = {f"{route} {one.failed_new} of {one.new}": (one.failed_new, one.new) for route, one in routes.items()}
    return f" (failures by route: {_most(asked)})" if asked else ""


def _listed(counts: Mapping[str, int]) -> str:
    return _most({f"{route} {number}": number for route, number in counts.items()})


def _most(counts: Mapping[str, Any]) -> str:
    """The texts with the highest numbers first."""
    texts = sorted(counts, key=lambda text: counts[text], reverse=True)
    more = f" and {len(texts) - _MOST_ROUTES} routes more" if len(texts) > _MOST_ROUTES else ""
    return ", ".join(texts[:_MOST_ROUTES]) + more


def _missing(number: int, known: GateEvidence, what: str) -> str:
    if not known.per_second:
        return f"{number} {what} are missing, and none arrive"
    return f"{number} {what} are missing, about {span(max(number / known.per_second, 1.0))} at today's traffic"


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"


def span(seconds: float) -> str:
    """As a person says it: `45 s`, `6.7 h`, `17 d`."""
    seconds = max(seconds, 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
