"""What commands share about the terminal that they print to."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from chassis.error_reason import reason

READER_GONE = 141
"""The exit code of every command whose reader has gone (`| head`): 128 and the number of SIGPIPE."""
UNWRITABLE = 1
HELP_OPTIONS = {"help_option_names": ["--help", "-h"]}
"""Context settings of a click command; its subcommands inherit them."""


class _CarefulOutput:
    """A stream whose faults end the process with a sentence on stderr, or silently if nobody reads any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._ended():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._ended():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _ended(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # what is left is written there
            if isinstance(exc, BrokenPipeError):
                raise SystemExit(READER_GONE) from None
            print(f"the output cannot be written: {reason(exc)}", file=sys.stderr)
            raise SystemExit(UNWRITABLE) from None


@contextmanager
def careful_output() -> Iterator[None]:
    """For a command that ends by itself. A closed stdout takes everything, as /dev/null does."""
    before = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    sys.stdout = cast(TextIO, _CarefulOutput(before))
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        finally:
            sys.stdout = before
