"""The operators' route for contents.

POST /internal/contents/tidy {"dryRun": bool, "olderThanS": number} → {"components", "validators", "restored"}: ids
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.auth.credentials import SharedTokens, guarded, refused
from extracted.learning.contents.ports import TreeCare

LEAST_AGE_S: Final = 60
"""A change of a content takes less, so what is older is no part of one."""
MOST_AGE_S: Final = 10 * 365 * 86_400


def routes(care: TreeCare, token: str, now: Callable[[], datetime]) -> Iterator[Route]:
    """For bearers of the token."""
    yield Route("/internal/contents/tidy", guarded(SharedTokens(token), partial(_tidy, care, now)), methods=["POST"])


async def _tidy(care: TreeCare, now: Callable[[], datetime], request: Request) -> Response:
    try:
        body = await request.json()
    except ValueError:
        body = None
    asked = body if isinstance(body, dict) else {}
    is_dry, age_s = asked.get("dryRun"), asked.get("olderThanS")
    if not isinstance(is_dry, bool):
        return refused(400, "dryRun must be true or false")
    if isinstance(age_s, bool) or not isinstance(age_s, int) or not LEAST_AGE_S <= age_s <= MOST_AGE_S:
        return refused(400, f"olderThanS must be a number of seconds from {LEAST_AGE_S} to {MOST_AGE_S}")
    tidied = await care.tidy(now() - timedelta(seconds=age_s), remove=not is_dry)
    return JSONResponse({"components": tidied.components, "validators": tidied.validators, "restored": tidied.restored})
