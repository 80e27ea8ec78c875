"""`python -m parts up|install|build|start|status|stop|clear [part …]`: a line per part; exits with 1 if one fails.

`clear` stops the server and removes its data; the next `up` starts an empty one.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from parts import docker, faketime, languages, leftovers, place
from parts.process import is_open
from parts.servers import consul, keycloak, mongo, postgres, rabbit, redis


class PartModule(Protocol):
    """The functions of each part's module."""

    NAME: str
    PORT: int
    URL: str

    def install(self) -> None: ...
    def build(self, place: place.Place, /) -> None: ...
    def start(self, place: place.Place, /) -> None: ...
    def stop(self, place: place.Place, /) -> None: ...
    def is_running(self, place: place.Place, /) -> bool: ...


class Tool(Protocol):
    """Is installed on this machine, even if the parts run in containers; it is never started."""

    NAME: str

    def install(self) -> None: ...


PARTS: dict[str, PartModule] = {part.NAME: part for part in (postgres, mongo, rabbit, keycloak, redis, consul)}
TOOLS: dict[str, Tool] = {tool.NAME: tool for tool in (faketime, languages)}
Verb = Callable[[PartModule, place.Place], str]


def install(part: PartModule | Tool, _place: place.Place | None = None) -> str:
    part.install()
    return "installed"


def build(part: PartModule, place: place.Place) -> str:
    part.build(place)
    return "built"


def start(part: PartModule, place: place.Place) -> str:
    part.start(place)
    return f"is running at {part.URL}"


def up(part: PartModule, place: place.Place) -> str:
    """Installs, builds and starts what is missing."""
    part.install()
    part.build(place)
    return start(part, place)


def status(part: PartModule, place: place.Place) -> str:
    if part.is_running(place):
        return f"is running at {part.URL}"
    return f"port {part.PORT} is open, but by another program" if is_open(part.PORT) else "is not running"


def stop(part: PartModule, place: place.Place) -> str:
    part.stop(place)
    return "stopped"


def clear(part: PartModule, place: place.Place) -> str:
    """Stops it and removes its data. Programs that were built stay."""
    part.stop(place)
    folder = place.root / part.NAME
    if folder.exists():
        shutil.rmtree(folder)
    return "stopped, its data is removed"


VERBS: dict[str, Verb] = {verb.__name__: verb for verb in (up, install, build, start, status, stop, clear)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    names = options.parts or [*PARTS, *TOOLS]
    servers = [name for name in names if name in PARTS]
    tools = [name for name in names if name in TOOLS and options.verb in ("up", "install")]
    try:
        where = place.from_environment()
        if servers and options.verb in ("up", "stop", "clear") and _by_docker():
            secrets = {"KEYCLOAK_ADMIN_PASSWORD": keycloak.admin_password(where)}
            (docker.start if options.verb == "up" else docker.stop)(servers, secrets)
            servers = [] if options.verb == "up" else servers
    except place.PartFailed as error:
        print(error, file=sys.stderr)
        return 1
    done = [_told(name, partial(VERBS[options.verb], PARTS[name], where)) for name in servers]
    done += [_told(name, partial(install, TOOLS[name])) for name in tools]
    if options.verb == "up" and not options.parts:
        _clean()
    return 0 if all(done) else 1


def _clean() -> None:
    removed = {part: count for part, count in leftovers.remove(time.time()).items() if count}
    if removed:
        said = ", ".join(f"{count} of {part}" for part, count in removed.items())
        print(f"removed what killed test runs have left: {said}", flush=True)


def _told(name: str, act: Callable[[], str]) -> bool:
    begun = time.monotonic()
    try:
        print(f"{name}: {act()} ({time.monotonic() - begun:.1f} s)", flush=True)
    except place.PartFailed as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _by_docker() -> bool:
    wanted = os.environ.get("PARTS_WITH") or ("docker" if docker.answers() else "scripts")
    if wanted not in ("docker", "scripts"):
        raise place.PartFailed(f"PARTS_WITH is {wanted!r}; it must be docker or scripts")
    return wanted == "docker"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m parts", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    named = f"one of {', '.join((*PARTS, *TOOLS))}; default: all"
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS, *TOOLS], metavar="part", help=named)
    return parser


if __name__ == "__main__":
    sys.exit(main())
