"""A rollback at every gateway that --admin names, as one: all of them give it the name that the first one gave it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from strangler_gateway.cli.client import LIVE_TIMEOUT_S, TIMEOUT_S, UNREACHABLE, AdminClient, Answer, NotAnswered

Wish = Mapping[str, Any]


def roll_back_at_all(client: AdminClient, wish: Wish) -> Answer:
    """The first answer, with `asked`: by URL, whether it was reached; and `gateways` as all who answered know it.

    A gateway that stands still keeps the others waiting for no longer than it takes to find out.
    """
    with ThreadPoolExecutor() as pool:
        silent = dict(zip(client.urls, pool.map(client.silence, client.urls), strict=True))
        timeouts = {
            url: LIVE_TIMEOUT_S if silent[url] else TIMEOUT_S
            for url in sorted(silent, key=lambda url: bool(silent[url]))
        }
        first, answers = _first(client, timeouts, wish)
        named = {**wish, "names": {one["unit"]: one["rollback"] for one in first["units"]}}
        left = [url for url in timeouts if url not in answers]
        answers |= zip(left, pool.map(lambda url: _asked(client, url, timeouts[url], named), left), strict=True)
    gateways = _gateways([one for one in answers.values() if not isinstance(one, str)])
    asked = [_reached(url, answers[url]) for url in client.urls]
    return {**first, "asked": asked, **({"gateways": gateways} if gateways else {})}


def _first(client: AdminClient, timeouts: Mapping[str, float], wish: Wish) -> tuple[Answer, dict[str, Answer | str]]:
    """The answer of the first that does it, and by URL what was answered so far. If nobody does it, the end."""
    answers: dict[str, Answer | str] = {}
    for url, timeout_s in timeouts.items():
        answer = answers[url] = _asked(client, url, timeout_s, wish)
        if not isinstance(answer, str):
            return answer, answers
    told = "; ".join(f"{url}: {problem}" for url, problem in answers.items())
    return client.fail(UNREACHABLE, "unreachable", f"no gateway has rolled anything back ({told})")


def _asked(client: AdminClient, url: str, timeout_s: float, wish: Wish) -> Answer | str:
    """Or why it did not do it."""
    try:
        return client.post_to(url, "rollback", timeout_s, **wish)
    except NotAnswered as exc:
        return str(exc)


def _reached(url: str, answer: Answer | str) -> dict[str, object]:
    problem = answer if isinstance(answer, str) else None
    return {"admin": url, "reached": problem is None, "problem": problem}


def _gateways(answers: Sequence[Answer]) -> list[Mapping[str, Any]]:
    """Who was reached by any of them."""
    rows: dict[str, Mapping[str, Any]] = {}
    for answer in answers:
        for row in answer.get("gateways", ()):
            if row["name"] not in rows or row["reached"]:
                rows[row["name"]] = row
    return [rows[name] for name in sorted(rows)]
