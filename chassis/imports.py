"""Imports without the garbage collector: what they make stays, and looking through it took a quarter of a start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """For the imports of a process that goes on: what exists at the end of the block is never looked through again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
