"""Answers of old servers, put right before they are read strictly (RFC 9112 §2.2, §5.1, §5.2). Never for requests."""

import re

_SPACED_NAME = re.compile(rb"(?<=\n)([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+:")
_FOLD = re.compile(rb"\r\n[ \t]+")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_EMPTY_LINE = re.compile(rb"\n\r?\n")


def mended(section: bytes, start: int) -> bytes:
    """A field section from `start` (behind a line feed): no space before a colon, a folded line is one line.

    Every line that does not continue another one must have a name of its own: a fold right behind the start line,
    or one that brings the colon, stays and is refused.
    """
    plain = _SPACED_NAME.sub(rb"\1:", section[start - 1 :])
    return section[:start] + _FOLD.sub(b" ", plain[1:])


def end_of_section(data: bytes) -> int:
    """Index behind the empty line that ends a section where a bare LF ends a line, too; -1 if it has not come yet."""
    found = _EMPTY_LINE.search(data)
    return found.end() if found else -1


def with_crlf(section: bytes) -> bytes:
    """Each bare LF as CRLF. A bare CR stays, and is refused."""
    return _BARE_LF.sub(b"\r\n", section)
