"""One line that changes, on a terminal; nothing elsewhere."""

import sys

from strangler_gateway.cli.output import plain


def show(text: str) -> None:
    """Replaces what was shown before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{plain(text)}", end="", file=sys.stderr, flush=True)


def clear() -> None:
    """Leaves the line empty."""
    show("")
