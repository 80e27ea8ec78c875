"""Path shapes of an access log: common or combined format, or one JSON object per line."""

import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from strangler_gateway.config.init.path_shapes import Shape, Shapes

LONGEST_LINE = 16_384
_LINE = re.compile(r'"([A-Z]{1,20}) (\S{1,8192}) HTTP/[0-9.]{1,3}" ([0-9]{3})\b')
_REQUEST = re.compile(r"([A-Z]{1,20}) (\S{1,8192}) HTTP/[0-9.]{1,3}")
_METHOD = ("method", "request_method", "requestmethod", "http_method", "verb")
_TARGET = ("uri", "request_uri", "path", "requestpath", "url", "target")
_STATUS = ("status", "status_code", "statuscode", "downstreamstatus", "response_code")
_NOT_SERVED = frozenset({"400", "404", "405", "408", "410", "414", "431", "501"})
"""What the monolith answers where it has no route; such paths are left out."""
_STATIC = re.compile(r".*\.(?:avif|css|eot|gif|ico|jpe?g|m?js|map|mp4|png|svg|ttf|txt|webmanifest|webp|woff2?|xml)")

Request = tuple[str, str, str]
"""Method, target, status."""


def shapes_of_log(lines: Iterable[str]) -> tuple[list[Shape], int]:
    """The shapes of the requests that the monolith served, and how many requests no route can be declared for.

    Raises ValueError if no line is from an access log.
    """
    shapes, understood = Shapes(), 0
    for line in lines:
        request = _request(line[:LONGEST_LINE])
        if request is None:
            continue
        understood += 1
        method, target, status = request
        path = _path(target)
        if status not in _NOT_SERVED and not _STATIC.fullmatch(path):
            shapes.add(method, path)
    if understood == 0:
        raise ValueError(
            'no line describes a request as access logs do: … [time] "GET /path HTTP/1.1" 200 …, or in JSON'
        )
    return shapes.found(), shapes.left_out


def _request(line: str) -> Request | None:
    if line.startswith("{"):
        return _json_request(line)
    found = _LINE.search(line)
    return (found[1], found[2], found[3]) if found else None


def _json_request(line: str) -> Request | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    inner = said.get("request")
    named = {name.lower(): value for name, value in (said | (inner if isinstance(inner, dict) else {})).items()}
    method, target = _first(named, _METHOD), _first(named, _TARGET)
    if isinstance(inner, str) and (found := _REQUEST.fullmatch(inner)):
        method, target = found[1], found[2]
    status = _first(named, _STATUS)
    return (method, target, status) if re.fullmatch("[A-Z]{1,20}", method) and target and status else None


def _first(named: dict[str, object], names: tuple[str, ...]) -> str:
    values = (named.get(name) for name in names)
    return next((str(value) for value in values if isinstance(value, str | int)), "")


def _path(target: str) -> str:
    """The path of an origin-form or absolute-form target."""
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError:
        return ""
