"""What Node 16 does when a promise fails and nobody awaits it."""

import os
import sys
from typing import NoReturn


def unhandled(error: Exception) -> NoReturn:
    """Ends the process at once; requests under way get no answer."""
    print(f"unhandled rejection: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(1)
