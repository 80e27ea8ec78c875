"""The servers of other registries that compose.yaml and k8s/overlays/development name: pulled, or one image for all.

`python -m images.stand_ins` gives them to the engine. Where no registry answers, it builds PostgreSQL, RabbitMQ, Redis,
Consul and a server with MongoDB's protocol from Debian's packages and parts/, and gives the image the official names.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from images import base
from images.engine import Engine
from parts import place as places
from parts.servers import consul, mongo

NAME = "strangler-stand-ins"
STAND_FOR = ("postgres:15", "rabbitmq:4-management", "redis:7", "mongo:7", "hashicorp/consul:1.22")
FOLDER = Path(__file__).parent


def provide(engine: Engine) -> None:
    """Pulls or builds those that are missing. Raises EngineFailed, PartFailed."""
    if base.is_built_here(engine):
        build(engine)
        for name in STAND_FOR:
            engine.run("tag", NAME, f"localhost/{name}")
        return
    for name in STAND_FOR:
        if not engine.succeeds("image", "inspect", name):
            engine.run("pull", "--quiet", name)


def build(engine: Engine) -> None:
    """The one image. Raises EngineFailed, PartFailed."""
    place = places.from_environment()
    for program in (consul.PROGRAM, mongo.PROGRAM):
        program.build(place)
    files = {"consul": consul.PROGRAM.path(place), "mongo": mongo.PROGRAM.path(place)}
    files |= {name: FOLDER / name for name in ("entrypoint", "redis-server")}
    build_from(engine, NAME, (FOLDER / "Dockerfile").read_text(), files)


def build_from(engine: Engine, name: str, dockerfile: str, files: Mapping[str, Path]) -> None:
    """An image from these files, by their names, and nothing else. Raises EngineFailed."""
    with tempfile.TemporaryDirectory() as folder:
        for file, source in files.items():
            shutil.copy2(source, Path(folder) / file)
        engine.run("build", *engine.build_options, "--quiet", "--file=-", f"--tag={name}", folder, stdin=dockerfile)
