"""Images on the node: without a registry, from the engine that built them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cluster import dns, programs
from cluster.containerd import PAUSE, Containerd
from images.build import IMAGES
from images.engine import Engine, EngineFailed
from parts import place as places
from parts.place import Place
from parts.servers import consul, mongo

STAND_INS = "strangler-stand-ins"
"""PostgreSQL, RabbitMQ, Redis, Consul and a server with MongoDB's protocol, in one image."""
STAND_FOR = ("postgres:15", "rabbitmq:4-management", "redis:7", "mongo:7", "hashicorp/consul:1.22")
"""The images of other registries that k8s/overlays/development names."""
STAND_INS_FOLDER = Path(__file__).with_name("stand_ins")
OF_THE_NODE = {PAUSE: programs.PAUSE, dns.IMAGE: programs.COREDNS}
"""Each holds one program."""
OF_ONE_PROGRAM = 'FROM scratch\nCOPY program /program\nUSER 65534:65534\nENTRYPOINT ["/program"]\n'


def give(containerd: Containerd, place: Place, engine: Engine) -> Iterator[str]:
    """All images of this repository that have changed, and what stands for others. Raises EngineFailed, PartFailed."""
    _build_stand_ins(engine)
    yield from _give(containerd, place, engine, STAND_INS, *(image.name for image in IMAGES))
    for name in STAND_FOR:
        containerd.tag(f"localhost/{STAND_INS}:latest", f"docker.io/{name if '/' in name else f'library/{name}'}")


def give_own(containerd: Containerd, place: Place, engine: Engine) -> Iterator[str]:
    """What every pod begins with, and what serves names."""
    for name, program in OF_THE_NODE.items():
        _build(engine, name, OF_ONE_PROGRAM, {"program": program.built(place)})
    yield from _give(containerd, place, engine, *OF_THE_NODE)


def _give(containerd: Containerd, place: Place, engine: Engine, *names: str) -> Iterator[str]:
    """In one archive, which has a layer once."""
    found = {name: _version(engine, name) for name in names}
    known = containerd.imported()
    changed = {name: version for name, version in found.items() if known.get(name) != version}
    if not changed:
        return
    several = ("--multi-image-archive",) if engine.command == "podman" else ()
    with tempfile.TemporaryDirectory(dir=place.root) as folder:
        archive = Path(folder) / "images.tar"
        engine.run("save", *several, f"--output={archive}", *changed)
        containerd.import_images(changed, archive)
    yield f"imported: {', '.join(changed)}"


def _version(engine: Engine, name: str) -> str:
    if not engine.succeeds("image", "inspect", name):
        raise EngineFailed(f"there is no image {name}: make images builds it")
    return engine.run("image", "inspect", "--format={{.Id}}", name).strip()


def _build_stand_ins(engine: Engine) -> None:
    place = places.from_environment()
    for program in (consul.PROGRAM, mongo.PROGRAM):
        program.build(place)
    files = {"consul": consul.PROGRAM.path(place), "mongo": mongo.PROGRAM.path(place)}
    files |= {name: STAND_INS_FOLDER / name for name in ("entrypoint", "redis-server")}
    _build(engine, STAND_INS, (STAND_INS_FOLDER / "Dockerfile").read_text(), files)


def _build(engine: Engine, name: str, dockerfile: str, files: dict[str, Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for file, source in files.items():
            shutil.copy2(source, Path(folder) / file)
        engine.run("build", *engine.build_options, "--quiet", "--file=-", f"--tag={name}", folder, stdin=dockerfile)
