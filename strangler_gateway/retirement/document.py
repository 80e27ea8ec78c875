"""The signed document as JSON, and the bytes of it that are signed. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

MAX_FILE: Final = 4 << 20
"""Bytes of a file with a report."""
_FIELDS: Final = frozenset({"report", "signature"})
_DETACHED: Final = re.compile(r"[A-Za-z0-9_-]{1,1000}\.\.[A-Za-z0-9_-]{1,1000}")


class ReportInvalid(ValueError):
    """The document is no report, was changed, or was signed with another key; the text says which."""


def canonical(report: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: sorted keys, no white space, UTF-8; a report has no floats."""
    return json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def parts(document: object) -> tuple[dict[str, Any], str]:
    """Report and signature of a document. Raises ReportInvalid."""
    if not isinstance(document, dict) or set(document) != _FIELDS:
        raise ReportInvalid("it is no signed report: wanted an object with `report` and `signature`")
    report, signature = document["report"], document["signature"]
    if (
        not isinstance(report, dict)
        or not isinstance(signature, str)
        or signature.count(".") != 2
        or ".." not in signature
    ):
        raise ReportInvalid("it is no signed report: `signature` is no detached JWS (RFC 7515, appendix F)")
    return report, signature
