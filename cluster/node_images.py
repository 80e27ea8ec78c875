"""Images on the node: without a registry, from the engine that built them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from cluster import dns, programs
from cluster.containerd import PAUSE, Containerd
from images import stand_ins
from images.build import IMAGES
from images.engine import Engine, EngineFailed
from parts.place import Place

OF_THE_NODE = {PAUSE: programs.PAUSE, dns.IMAGE: programs.COREDNS}
"""Each holds one program."""
OF_ONE_PROGRAM = 'FROM scratch\nCOPY program /program\nUSER 65534:65534\nENTRYPOINT ["/program"]\n'


def give(containerd: Containerd, place: Place, engine: Engine) -> Iterator[str]:
    """All images of this repository that have changed, and what stands for others. Raises EngineFailed, PartFailed."""
    stand_ins.build(engine)
    yield from _give(containerd, place, engine, stand_ins.NAME, *(image.name for image in IMAGES))
    for name in stand_ins.STAND_FOR:
        containerd.tag(f"localhost/{stand_ins.NAME}:latest", f"docker.io/{name if '/' in name else f'library/{name}'}")


def give_own(containerd: Containerd, place: Place, engine: Engine) -> Iterator[str]:
    """What every pod begins with, and what serves names."""
    for name, program in OF_THE_NODE.items():
        stand_ins.build_from(engine, name, OF_ONE_PROGRAM, {"program": program.built(place)})
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
