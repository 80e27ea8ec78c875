"""What commands share about the terminal that they print to."""

import os
import sys


def end_output() -> None:
    """Writes what is left. A reader that has gone (`| head`) is not an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
