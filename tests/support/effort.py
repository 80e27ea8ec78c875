"""How many examples a property is tried with: a quarter in `make test`, all of them where EXAMPLES=all (`.ci/run`)."""

import os


def examples(most: int) -> int:
    return most if os.environ.get("EXAMPLES") == "all" else max(1, most // 4)
