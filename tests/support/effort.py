"""How many examples a property is tried with: a quarter, all of them where EXAMPLES=all.

`.ci/run` sets that for `make test` and `make test-walks`: compiled modules and real parts see a quarter of the same.
"""

import os


def examples(most: int) -> int:
    return most if os.environ.get("EXAMPLES") == "all" else max(1, most // 4)
