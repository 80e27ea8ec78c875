"""`python -m images.stand_ins`: see the package."""

import sys

from images import stand_ins
from images.__main__ import engine as find_engine
from images.engine import EngineFailed
from parts.place import PartFailed


def main() -> int:
    try:
        stand_ins.provide(find_engine())
    except (EngineFailed, PartFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
