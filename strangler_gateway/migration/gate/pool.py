"""Pools the routes of a group: with Mantel-Haenszel weights, because routes may have unequal shares. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from strangler_gateway.evidence.bounds import Proportion


class Counts(NamedTuple):
    """Failures and requests of both sides; or failing users and users."""

    failed_new: int = 0
    new: int = 0
    failed_legacy: int = 0
    legacy: int = 0


def total(routes: Iterable[Counts]) -> Counts:
    """The plain sum."""
    return Counts(*(sum(column) for column in zip(Counts(), *routes, strict=True)))


def pooled(routes: Sequence[Counts]) -> tuple[Proportion, Proportion]:
    """The part that fails on the new side and on legacy, each with its effective number of requests.

    Each route weighs new·legacy/(new + legacy) (Mantel, Haenszel 1959); the effective number of a side is
    1/Σ(weight²/requests) (Kim, Won 2013). With equal shares this is the plain sum.
    """
    strata = _strata(routes)
    weights = [one.new * one.legacy / (one.new + one.legacy) if one.new and one.legacy else 0.0 for one in strata]
    whole = sum(weights)
    if not whole:
        summed = total(strata)
        return _proportion(summed.failed_new, summed.new), _proportion(summed.failed_legacy, summed.legacy)
    shares = [weight / whole for weight in weights]
    return (
        _weighted([(share, one.failed_new, one.new) for share, one in zip(shares, strata, strict=True) if share]),
        _weighted([(share, one.failed_legacy, one.legacy) for share, one in zip(shares, strata, strict=True) if share]),
    )


def _strata(routes: Sequence[Counts]) -> list[Counts]:
    """Routes that one side alone was asked for join the largest: they have nothing to compare, and must count."""
    both = [one for one in routes if one.new and one.legacy]
    alone = [one for one in routes if not (one.new and one.legacy)]
    largest = max(both, key=lambda one: one.new, default=Counts())
    if both:
        both.remove(largest)
    return [total([largest, *alone]), *both]


def _weighted(strata: Iterable[tuple[float, int, int]]) -> Proportion:
    part = spread = 0.0
    for share, failed, requests in strata:
        part += share * failed / requests
        spread += share * share / requests
    return Proportion(part, 1 / spread)


def _proportion(failed: int, requests: int) -> Proportion:
    return Proportion(failed / requests if requests else 0.0, requests)
