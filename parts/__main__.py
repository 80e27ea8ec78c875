"""`python -m parts up|install|build|start|status|stop [part …]`: a sentence a part, exit code 1 when one fails."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from parts import docker, mongo, place, postgres, rabbit
from parts.process import is_open


class Part(Protocol):
    """What each module of a part offers."""

    NAME: str
    PORT: int
    URL: str

    def install(self) -> None: ...
    def build(self, place: place.Place, /) -> None: ...
    def start(self, place: place.Place, /) -> None: ...
    def stop(self, place: place.Place, /) -> None: ...
    def is_running(self, place: place.Place, /) -> bool: ...


PARTS: dict[str, Part] = {part.NAME: part for part in (postgres, mongo, rabbit)}
Verb = Callable[[Part, place.Place], str]


def install(part: Part, _place: place.Place) -> str:
    part.install()
    return "its programs are there"


def build(part: Part, place: place.Place) -> str:
    part.build(place)
    return "built"


def start(part: Part, place: place.Place) -> str:
    part.start(place)
    return f"runs, {part.URL}"


def up(part: Part, place: place.Place) -> str:
    """All three, each only where it is missing."""
    part.install()
    part.build(place)
    return start(part, place)


def status(part: Part, place: place.Place) -> str:
    if part.is_running(place):
        return f"runs, {part.URL}"
    return f"is not ours, but port {part.PORT} is open" if is_open(part.PORT) else "does not run"


def stop(part: Part, place: place.Place) -> str:
    part.stop(place)
    return "stopped"


VERBS: dict[str, Verb] = {verb.__name__: verb for verb in (up, install, build, start, status, stop)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    names = options.parts or list(PARTS)
    try:
        if options.verb in ("up", "stop") and _by_docker():
            (docker.start if options.verb == "up" else docker.stop)(names)
            if options.verb == "up":
                return 0
        where = place.from_environment()
    except place.PartFailed as error:
        print(error, file=sys.stderr)
        return 1
    done = [_told(VERBS[options.verb], PARTS[name], where) for name in names]
    return 0 if all(done) else 1


def _told(verb: Verb, part: Part, where: place.Place) -> bool:
    begun = time.monotonic()
    try:
        print(f"{part.NAME}: {verb(part, where)} ({time.monotonic() - begun:.1f} s)", flush=True)
    except place.PartFailed as error:
        print(f"{part.NAME}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _by_docker() -> bool:
    wanted = os.environ.get("PARTS_WITH") or ("docker" if docker.answers() else "scripts")
    if wanted not in ("docker", "scripts"):
        raise place.PartFailed(f"PARTS_WITH is {wanted!r}; wanted docker or scripts")
    return wanted == "docker"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m parts", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    named = f"of {', '.join(PARTS)}; none: all"
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part", help=named)
    return parser


if __name__ == "__main__":
    sys.exit(main())
