"""Path shapes of an access log in the common or combined format."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from strangler_gateway.path_shapes import Shape, Shapes

LONGEST_LINE = 16_384
_REQUEST = re.compile(r'"([A-Z]{1,20}) (\S{1,8192}) HTTP/[0-9.]{1,3}" ([0-9]{3})\b')
_NOT_SERVED = frozenset({"400", "404", "405", "408", "410", "414", "431", "501"})
"""What the monolith answers where it has no route: those paths are nobody's."""
_STATIC = re.compile(
    r".*\.(?:avif|css|eot|gif|ico|jpe?g|m?js|map|mp4|png|svg|ttf|txt|webmanifest|webp|woff2?|xml)", re.I
)


def shapes_of_log(lines: Iterable[str]) -> tuple[list[Shape], int]:
    """The shapes of the requests that the monolith served, and how many requests no route can be declared for.

    Raises ValueError where no line is one of an access log.
    """
    shapes, understood = Shapes(), 0
    for line in lines:
        found = _REQUEST.search(line[:LONGEST_LINE])
        if found is None:
            continue
        understood += 1
        path = _path(found[2])
        if found[3] not in _NOT_SERVED and not _STATIC.fullmatch(path):
            shapes.add(found[1], path)
    if understood == 0:
        raise ValueError('no line is in the common or combined format: … [time] "GET /path HTTP/1.1" 200 …')
    return shapes.found(), shapes.left_out


def _path(target: str) -> str:
    """The path of an origin-form or absolute-form target."""
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError:
        return ""
