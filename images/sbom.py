"""`python -m images.sbom`: a bill of materials (CycloneDX 1.6, JSON) per image, in build/sbom/.

What it lists is asked of the image itself (images/inventory.py), and compared with the locks: a package of another
version, or one that no lock has, is an error.
"""

import json
import sys
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from images.__main__ import engine as find_engine
from images.build import IMAGES
from images.engine import ROOT, Engine, EngineFailed
from supply_chain import licences
from supply_chain.locks import image_pins, normalized

FOLDER = ROOT / "build/sbom"
PROJECT = "strangler-gateway"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        engine = find_engine()
        for image in IMAGES:
            path = FOLDER / f"{image.name}.cdx.json"
            document = bill(engine, image.name)
            path.write_text(json.dumps(document, indent=1) + "\n")
            print(f"{path.relative_to(ROOT)}: {len(document['components'])} components", flush=True)
    except EngineFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def bill(engine: Engine, image: str) -> dict[str, Any]:
    """The document of one image. Raises EngineFailed, also where the image holds what the locks do not have."""
    options = ("--rm", "--network=none", "--entrypoint=python", "--read-only", "--user=10001:10001")
    script = (ROOT / "images/inventory.py").read_text()
    found = json.loads(engine.run("run", *options, image, "-c", script))
    if strange := not_locked(found["distributions"]):
        raise EngineFailed(f"{image} holds packages that no lock of deploy/ has: {', '.join(strange)}; build it anew")
    return document(image, engine.image_digest(image), found)


def not_locked(distributions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names and versions of those that no lock has, but for the project's own wheel."""
    pins = image_pins()
    return [
        f"{one['name']} {one['version']}"
        for one in distributions
        if normalized(one["name"]) != PROJECT and (normalized(one["name"]), one["version"]) not in pins
    ]


def document(image: str, digest: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The same image gives the same document: its serial number follows from the image's digest, and it has no time."""
    components = [_interpreter(found["python"]), *map(_distribution, found["distributions"])]
    components += [_debian(one, found["system"]["id"]) for one in found["debian"]]
    system = found["system"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": f"image:{image}",
                "name": image,
                "version": digest[:12],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": [
            {"type": "operating-system", "bom-ref": "system", "name": system["id"], "version": system["version"]},
            *sorted(components, key=lambda one: str(one["bom-ref"])),
        ],
    }


def _interpreter(version: str) -> dict[str, Any]:
    purl = f"pkg:generic/python@{version}"
    licence = [{"license": {"id": "PSF-2.0"}}]
    return {
        "type": "application", "bom-ref": purl, "name": "python", "version": version, "purl": purl, "licenses": licence
    }  # fmt: skip


def _distribution(one: Mapping[str, Any]) -> dict[str, Any]:
    name, version = normalized(one["name"]), one["version"]
    purl = f"pkg:pypi/{name}@{quote(version)}"
    stated = licences.stated(one["expression"], one["field"], one["classifiers"])
    locked = image_pins().get((name, version), ())
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": one["sha256"]}],
        "licenses": [{"expression": stated}] if stated else [{"license": {"name": "see its metadata"}}],
        "properties": [{"name": "strangler:locked-archive:sha256", "value": digest} for digest in locked],
    }


def _debian(one: Mapping[str, Any], system: str) -> dict[str, Any]:
    name, version = one["name"], one["version"]
    purl = f"pkg:deb/{system}/{quote(name)}@{quote(version)}?arch={one['architecture']}"
    names = sorted({licences.of_debian(licence) for licence in one["licences"]}) or ["see its copyright file"]
    component = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [
            {"license": {"id": licence} if licences.is_identifier(licence) else {"name": licence}} for licence in names
        ],
        "properties": [{"name": "strangler:debian-source", "value": f"{one['source']} {one['source_version']}"}],
    }
    return component | ({"hashes": [{"alg": "SHA-256", "content": one["sha256"]}]} if one["sha256"] else {})


if __name__ == "__main__":
    sys.exit(main())
