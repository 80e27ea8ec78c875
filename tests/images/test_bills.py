"""The bill of materials of each image as it was built."""

import pytest

from images.build import IMAGES, RUNNER
from images.engine import Engine
from images.sbom import bill
from tests.support.schemas import cyclonedx_faults

pytestmark = pytest.mark.images


@pytest.mark.parametrize("image", [image.name for image in IMAGES])
def test_an_image_is_listed_whole_with_versions_licences_and_hashes(engine: Engine, image: str) -> None:
    document = bill(engine, image)
    assert cyclonedx_faults(document) == []
    named = {one["name"]: one for one in document["components"]}
    assert {"python", "debian", "pydantic", "libc6"} | ({"rustc", "bubblewrap"} if image == RUNNER.name else set()) <= {
        *named
    }
    packages = [one for one in named.values() if one.get("purl", "").startswith(("pkg:pypi/", "pkg:deb/"))]
    assert len(packages) > 100
    assert [one["name"] for one in packages if not one["licenses"] or not one["version"]] == []
    without_files = {one["name"] for one in packages if "hashes" not in one}  # metapackages of dpkg
    assert len(without_files) < 10, without_files
    python = [one for one in packages if one["purl"].startswith("pkg:pypi/")]
    unclear = {one["name"] for one in python if "expression" not in one["licenses"][0]}
    assert unclear <= {"google-re2", "jinja2"}
