"""`python -m manifests`: checks every overlay of k8s/; prints a line for each fault; exits with 1 if there is one."""

import sys
from collections.abc import Iterator

from manifests import render
from manifests.checks import findings
from manifests.objects import Manifests


def systems() -> Iterator[tuple[str, Manifests]]:
    """Every overlay and every variant, with its name. Raises RenderFailed."""
    for name in render.OVERLAYS:
        yield name, render.overlay(name)
    for name in render.VARIANTS:
        yield name, render.variant(name)


def main() -> int:
    faulty = False
    try:
        for name, manifests in systems():
            found = findings(manifests)
            faulty = faulty or bool(found)
            print(f"{name}: {len(manifests.objects)} objects, {len(found)} faults", *found, sep="\n  ")
    except render.RenderFailed as error:
        print(error, file=sys.stderr)
        return 1
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main())
