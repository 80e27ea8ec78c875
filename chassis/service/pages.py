"""The page size of an internal list."""

import re

from starlette.requests import Request

_SIZE = re.compile(r"[0-9]{1,4}")


def limit(request: Request, default: int, most: int) -> int | None:
    """N of `?limit=N`, from 1 to `most`; None if it is anything else."""
    text = request.query_params.get("limit", str(default))
    return int(text) if _SIZE.fullmatch(text) and 1 <= int(text) <= most else None
