"""Reads an HTTP archive (HAR 1.2), as browsers and proxies save it, as captured exchanges."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from strangler_gateway.exchange.taps import Fields
from strangler_gateway.recording.record import MAX_BODY, caller_of
from strangler_gateway.recording.tap import CapturedExchange

MAX_BYTES = 256 * 1024 * 1024
_DECODED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class HarInvalid(ValueError):
    """The file is not an HTTP archive."""


class HarArchive:
    """The exchanges of one origin. `others`: those of other origins; `left_out`: those that no recording can hold."""

    def __init__(self, path: Path, origin: str | None = None) -> None:
        """Without an origin: the one that is called most often. Raises OSError, HarInvalid."""
        self._entries = _entries(path)
        origins = Counter(_origin(entry) for entry in self._entries)
        self.origin = origin.rstrip("/") if origin else next((o for o, _ in origins.most_common(1)), "")
        self.others = len(self._entries) - origins[self.origin]
        self.left_out = 0

    def __iter__(self) -> Iterator[CapturedExchange]:
        for entry in self._entries:
            if _origin(entry) != self.origin:
                continue
            try:
                captured = _captured(entry, self.origin)
            except (KeyError, TypeError, ValueError, AttributeError):
                captured = None
            if captured is None or len(captured.body) + len(captured.answer) > MAX_BODY:
                self.left_out += 1
            else:
                yield captured


def _entries(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise HarInvalid(f"it has more than {MAX_BYTES} bytes")
    try:
        entries = json.loads(data)["log"]["entries"]
        if not isinstance(entries, list) or not all(isinstance(entry["request"]["url"], str) for entry in entries):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HarInvalid("not an HTTP archive: expected JSON with log.entries, each with a request") from None
    return entries


def _origin(entry: dict[str, Any]) -> str:
    try:
        url = urlsplit(entry["request"]["url"])
    except ValueError:
        return ""
    return f"{url.scheme}://{url.netloc}"


def _captured(entry: dict[str, Any], origin: str) -> CapturedExchange | None:
    """None: no server answered, or the browser answered from its cache."""
    request, answer = entry["request"], entry["response"]
    status = int(answer["status"])
    if not 200 <= status <= 599:
        return None
    url, content = urlsplit(request["url"]), answer.get("content", {})
    fields = _fields(request["headers"])
    return CapturedExchange(
        route="har",
        caller=caller_of(fields),
        method=str(request["method"]),
        target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
        fields=fields,
        body=request.get("postData", {}).get("text", "").encode(),
        status=status,
        answer_fields=_fields(answer["headers"]),
        answer=_content(content),
        origin=origin,
    )


def _fields(headers: list[dict[str, str]]) -> Fields:
    """Without pseudo-fields, and without the fields of codings that the archive has removed."""
    pairs = [(header["name"].encode("latin-1"), header["value"].encode("utf-8")) for header in headers]
    return [pair for pair in pairs if not pair[0].startswith(b":") and pair[0].lower() not in _DECODED]


def _content(content: dict[str, Any]) -> bytes:
    text = content.get("text", "")
    if content.get("encoding") != "base64":
        return str(text).encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError("base64") from exc
