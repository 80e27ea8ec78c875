"""The path that Envoy Gateway makes of a client's before it matches: what its report says, written a second time."""

import re
from dataclasses import replace

from tests.export.comparison import origin_form
from tests.export.spellings import Spelled

_ENCODED = str.maketrans({each: f"%{ord(each):02X}" for each in ' "<>^`{|}'})
_UNRESERVED = re.compile(r"[-.\w~]", re.ASCII)


def normalised(request: Spelled) -> Spelled:
    """With a normal path; slashes stay as they are."""
    path, mark, query = origin_form(request.target).partition("?")
    return replace(request, target=_path(path) + mark + query) if path.startswith("/") else request


def merged(request: Spelled) -> Spelled:
    """With one slash where there are several."""
    path, mark, query = normalised(request).target.partition("?")
    return replace(request, target=re.sub("/+", "/", path) + mark + query)


def _path(path: str) -> str:
    decoded = re.sub("%([0-9A-Fa-f]{2})", _plain, path.replace("\\", "/"))
    return _without_dots(decoded.translate(_ENCODED))


def _plain(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if _UNRESERVED.fullmatch(character) else found[0]


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in (segments := path.split("/")[1:]):
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept + [""] * (segments[-1] in (".", "..")))
