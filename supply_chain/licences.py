"""Licences as SPDX expressions, from what packages say of themselves."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from license_expression import ExpressionError, Licensing, get_spdx_licensing  # type: ignore[import-untyped]  # has no types

OF_FIELD = {
    "mit license": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "expat": "MIT",
}
OF_CLASSIFIER = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Not `BSD License`: it may be either of two."""
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-?v?(\d)(?:\.(\d))?(\+?)")
_OF_DEBIAN = {
    "expat": "MIT",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "apache-2.0": "Apache-2.0",
}


def stated(expression: str | None, field: str | None, classifiers: Sequence[str]) -> str | None:
    """The SPDX expression of a distribution's metadata (PEP 639, else License, else classifiers); None if unclear."""
    if expression:
        return expression
    named = (field or "").strip().splitlines()[:1]
    for text in named:
        if found := OF_FIELD.get(text.lower()) or (text if is_expression(text) else None):
            return found
    last = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return " OR ".join(sorted({OF_CLASSIFIER[one] for one in last if one in OF_CLASSIFIER})) or None


def of_debian(name: str) -> str:
    """The SPDX identifier for the short name of a copyright file (DEP-5), or the name as it stands."""
    if match := _GNU.fullmatch(name):
        family, major, minor, later = match.groups()
        return f"{family}-{major}.{minor or 0}-{'or-later' if later else 'only'}"
    return _OF_DEBIAN.get(name.lower(), name)


def is_expression(text: str) -> bool:
    """Whether it consists of licences that SPDX knows."""
    try:
        return bool(text) and not _licensing().unknown_license_keys(text)
    except ExpressionError:
        return False


def is_identifier(text: str) -> bool:
    """Whether it is one licence of the SPDX list."""
    return text in _licensing().known_symbols


def allowed(expression: str, licences: Mapping[str, Any] | frozenset[str]) -> bool:
    """`A OR B` needs one of both, `A AND B` both. An expression that cannot be read is not allowed."""
    return is_expression(expression) and _holds(_licensing().parse(expression), licences)


def _holds(node: Any, licences: Mapping[str, Any] | frozenset[str]) -> bool:
    if isinstance(node, _licensing().OR):
        return any(_holds(part, licences) for part in node.args)
    if isinstance(node, _licensing().AND):
        return all(_holds(part, licences) for part in node.args)
    return str(node) in licences


@cache
def _licensing() -> Licensing:
    return get_spdx_licensing()
