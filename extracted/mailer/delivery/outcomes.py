"""Decides what a provider's answer means for a mail. Pure: no clock, no randomness, no I/O."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from extracted.mailer.domain import Accepted, Claimed, DeliveryOutcome, Policy, Rejected, Unanswered, Unreachable


@dataclass(frozen=True, slots=True)
class DeliveryRetryPolicy:
    """When a mail is tried again, and when no more.

    After a 4xx: `first` (`quota` for a quota), doubled each time up to `longest`. `away`: while no provider answers.
    `again`: until a mail without an answer is sent once more, at most `ambiguities` times. A delay that a reply names
    is used between `shortest_named` and `longest_named`. A mail fails after `attempts` (quotas do not count), or when
    it is older than `give_up`.
    """

    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=1)
    attempts: int = 18
    quota: timedelta = timedelta(minutes=10)
    away: timedelta = timedelta(seconds=30)
    again: timedelta = timedelta(minutes=15)
    ambiguities: int = 3
    shortest_named: timedelta = timedelta(seconds=1)
    longest_named: timedelta = timedelta(hours=24)
    give_up: timedelta = timedelta(days=5)


RETRY_POLICY: Final = DeliveryRetryPolicy()


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has it."""

    response: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """It is tried again later; the attempt counts."""

    reason: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """It is tried again later; the attempt does not count."""

    reason: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not tried again. `is_bounce`: the address is at fault."""

    reason: str
    is_bounce: bool


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether the provider has it. `due_at`: it is sent again then; None: an operator decides."""

    reason: str
    due_at: datetime | None


Verdict = Sent | Deferred | Returned | Failed | Ambiguous

_QUOTA_CODES: Final = {421, 452, 454}
_QUOTA: Final = re.compile(
    r"throttl|rate limit|quota exceeded|too many (?:messages|mails|connections|recipients)", re.I
)
_NAMED: Final = re.compile(
    r"\b(?:in|after|for|wait)\s+(?:about\s+|at least\s+)?(\d{1,7})\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b",
    re.I,
)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600}
_STATUS: Final = re.compile(r"#?(5\.\d{1,3}\.\d{1,3})(?![.\d])")
_MAILBOX: Final = {f"5.1.{detail}" for detail in (0, 1, 2, 3, 4, 6, 10)}
"""RFC 3463 section 3.2 and RFC 7505; 5.1.7 and 5.1.8 are the sender's."""
_NOBODY: Final = re.compile(
    r"(?:user|mailbox|recipient|account|address)\b.{0,40}\b(?:unknown|not found|does(?: not|n't) exist)"
    r"|no such (?:user|mailbox|recipient|person|address)|unknown (?:user|mailbox|recipient)",
    re.I,
)


def decide(
    outcome: DeliveryOutcome, claimed: Claimed, retry_policy: DeliveryRetryPolicy, chance: float, now: datetime
) -> Verdict:
    """`chance`: random, in [0, 1); it spreads the retries of mails that were refused together."""
    match outcome:
        case Accepted(response):
            return Sent(response)
        case Unanswered(reason):
            return Ambiguous(reason, _again_at(claimed, retry_policy, chance, now))
        case Unreachable(reason):
            return _returned(reason, claimed, retry_policy, chance, now)
        case Rejected() if outcome.is_final:
            return Failed(_told(outcome), _is_bounce(outcome))
        case Rejected():
            return _put_off(outcome, claimed, retry_policy, chance, now)


def _put_off(
    refused: Rejected, claimed: Claimed, retry_policy: DeliveryRetryPolicy, chance: float, now: datetime
) -> Verdict:
    """After a quota a mail fails by its age alone, not by its attempts."""
    is_quota, reason = _is_quota(refused), _told(refused)
    is_over = claimed.attempt >= retry_policy.attempts and not is_quota
    if is_over or _is_old(claimed, retry_policy, now):
        return _given_up(reason, claimed)
    named = _named(refused.response, retry_policy)
    if named is not None:
        return Deferred(reason, now + min(named * (1 + chance / 10), retry_policy.longest_named))
    first = retry_policy.quota if is_quota else retry_policy.first
    doubled = first * 2.0 ** min(claimed.attempt - 1, 30)
    return Deferred(reason, now + min(doubled, max(retry_policy.longest, first)) * (0.5 + chance / 2))


def _returned(
    reason: str, claimed: Claimed, retry_policy: DeliveryRetryPolicy, chance: float, now: datetime
) -> Verdict:
    """The wait grows with the mail's age, which also ends the retries: attempts do not count here."""
    if _is_old(claimed, retry_policy, now):
        return _given_up(reason, claimed)
    aged = min((now - claimed.created_at) / 10, retry_policy.longest)
    return Returned(reason, now + max(retry_policy.away, aged) * (1 + chance / 10))


def _again_at(claimed: Claimed, retry_policy: DeliveryRetryPolicy, chance: float, now: datetime) -> datetime | None:
    """Each retry may be one more copy in a mailbox: so the wait doubles, and in the end an operator decides."""
    if claimed.policy is Policy.AT_MOST_ONCE or claimed.ambiguities >= retry_policy.ambiguities:
        return None
    return now + retry_policy.again * 2.0**claimed.ambiguities * (1 + chance / 10)


def _is_old(claimed: Claimed, retry_policy: DeliveryRetryPolicy, now: datetime) -> bool:
    return now - claimed.created_at >= retry_policy.give_up


def _given_up(reason: str, claimed: Claimed) -> Failed:
    return Failed(f"given up at attempt {claimed.attempt}; the last reason: {reason}", is_bounce=False)


def _told(refused: Rejected) -> str:
    verb = "the message" if refused.verb == "." else refused.verb
    return f"{refused.code} to {verb}: {refused.response}"


def _is_quota(refused: Rejected) -> bool:
    return refused.code in _QUOTA_CODES or _QUOTA.search(refused.response) is not None


def _is_bounce(refused: Rejected) -> bool:
    """550 and 553 also mean policy, spam or relaying: the enhanced status (RFC 3463) decides, else the words."""
    if refused.verb != "RCPT" or refused.code not in (550, 551, 553):
        return False
    status = _STATUS.match(refused.response)
    if refused.code == 551 or status is not None:
        return status is None or status[1] in _MAILBOX
    return _NOBODY.search(refused.response) is not None


def _named(response: str, retry_policy: DeliveryRetryPolicy) -> timedelta | None:
    """ "Try again in 300 seconds", "retry after 5 minutes"."""
    found = _NAMED.search(response)
    if found is None:
        return None
    seconds = timedelta(seconds=int(found[1]) * _UNIT_S[found[2][0].lower()])
    return min(max(seconds, retry_policy.shortest_named), retry_policy.longest_named)
