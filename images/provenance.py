"""`python -m images.provenance`: what each image was built from; options and form as supply_chain/provenance.py."""

import re
import sys
from collections.abc import Sequence

from images.__main__ import engine as find_engine
from images.base import NAME as BASE
from images.build import IMAGES, Image
from images.engine import ROOT, EngineFailed
from supply_chain.provenance import ProvenanceFailed, options_of, statement, write


def main(arguments: Sequence[str] | None = None) -> int:
    options = options_of("python -m images.provenance", __doc__).parse_args(arguments)
    try:
        engine = find_engine()
        base = engine.image_digest(BASE)
        for image in IMAGES:
            parameters = {"dockerfile": image.dockerfile, "target": image.target}
            made = statement(image.name, engine.image_digest(image.name), "image", parameters, recipe(image), options)
            made["predicate"]["buildDefinition"]["resolvedDependencies"].append(
                {"uri": f"docker-image:{BASE}", "digest": {"sha256": base}}
            )
            write(made, image.name, options.key)
    except (EngineFailed, ProvenanceFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def recipe(image: Image) -> list[str]:
    """The Dockerfile, and the locks that it copies."""
    text = (ROOT / image.dockerfile).read_text()
    return [image.dockerfile, *sorted(set(re.findall(r"deploy/[a-z]+\.lock", text)))]


if __name__ == "__main__":
    sys.exit(main())
