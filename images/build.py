"""The images of this repository, and how one is built."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from images.engine import ROOT, Engine

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Image:
    """One image. `target`: the stage of its Dockerfile; by default the last one."""

    name: str
    dockerfile: str
    target: str | None = None


GATEWAY = Image("polycode-gateway", "Dockerfile")
PLAIN_GATEWAY = Image("strangler-gateway", "Dockerfile", "strangler-gateway")
SERVICES = tuple(
    Image(f"polycode-{name}", f"extracted/{name}/Dockerfile")
    for name in ("shop", "account", "learning", "mailer", "runner")
)
RUNNER = SERVICES[-1]
EXAMPLES = Image("polycode-examples", "examples/Dockerfile")
REGISTRAR = Image("strangler-registrar", "deploy/registrar/Dockerfile")
EXAMPLE_SERVICE = Image("strangler-example-service", "examples/service/Dockerfile")
CHAINS: Sequence[Sequence[Image]] = ((*SERVICES, EXAMPLES), (GATEWAY, PLAIN_GATEWAY, REGISTRAR, EXAMPLE_SERVICE))
"""Images that begin with the same libraries, one after another: the first one's layers serve the others."""
IMAGES = tuple(image for chain in CHAINS for image in chain)


def build(engine: Engine, image: Image) -> str:
    """How long it took and how big the image is. Raises EngineFailed."""
    begun = time.monotonic()
    target = (f"--target={image.target}",) if image.target else ()
    options = (*engine.build_options, f"--file={ROOT / image.dockerfile}", f"--tag={image.name}", *target)
    engine.run("build", *options, str(ROOT))
    size = json.loads(engine.run("image", "inspect", image.name))[0]["Size"]
    return f"{time.monotonic() - begun:.0f} s, {size / MEGA:.0f} MB"


def build_all(engine: Engine) -> None:
    """Builds the chains at the same time; prints a line per image. Raises EngineFailed."""
    with ThreadPoolExecutor(len(CHAINS)) as pool:
        for _ in pool.map(partial(_build_chain, engine), CHAINS):
            pass


def _build_chain(engine: Engine, chain: Sequence[Image]) -> None:
    for image in chain:
        print(f"{image.name}: {build(engine, image)}", flush=True)
