"""The bill of materials of an image, from what the image has said of itself."""

from typing import Any

import pytest

from images import sbom
from supply_chain import licences
from supply_chain.locks import image_pins
from tests.support.schemas import cyclonedx_faults

DIGEST = "ab" * 32
NAME, VERSION = next(key for key in image_pins() if key[0] == "joserfc")


def distribution(name: str = NAME, version: str = VERSION, **more: Any) -> dict[str, Any]:
    stated: dict[str, Any] = {"expression": "MIT OR Apache-2.0", "field": None, "classifiers": []}
    return {"name": name, "version": version, "sha256": DIGEST, **stated, **more}


def debian(*names: str, **more: Any) -> dict[str, Any]:
    source = {"source": "openssl", "source_version": "3.0.17-1~deb12u2"}
    common = {"name": "libssl3", "version": "3.0.17-1~deb12u2", "architecture": "amd64", "sha256": DIGEST}
    return {**common, **source, "licences": list(names), **more}


def document(*distributions: dict[str, Any], packages: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    system = {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"}
    found = {"system": system, "python": "3.12.3", "distributions": distributions, "debian": packages}
    return sbom.document("polycode-shop", DIGEST, found)


def test_a_document_is_valid_whatever_the_licences_say() -> None:
    rows = [distribution(), distribution("Other_Name", "1.0+local", expression=None, field="see LICENSE")]
    packages = (debian("Apache-2.0"), debian("GPL-2+", "public-domain", name="apt"), debian(name="base", sha256=None))
    made = document(*rows, packages=packages)
    assert cyclonedx_faults(made) == []
    assert made == document(*reversed(rows), packages=packages)
    by_name = {one["name"]: one for one in made["components"]}
    assert by_name[NAME]["purl"] == f"pkg:pypi/{NAME}@{VERSION}"
    assert by_name[NAME]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert [one["value"] for one in by_name[NAME]["properties"]] == list(image_pins()[NAME, VERSION])
    assert by_name["apt"]["licenses"] == [
        {"license": {"id": "GPL-2.0-or-later"}},
        {"license": {"name": "public-domain"}},
    ]
    assert by_name["libssl3"]["purl"].startswith("pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64")


def test_the_schema_finds_a_document_that_is_none() -> None:
    assert cyclonedx_faults(document() | {"bomFormat": "SPDX"}) != []
    assert cyclonedx_faults(document(distribution(sha256="short"))) != []
    unknown = document()
    unknown["components"].append({"type": "library", "name": "x", "licenses": [{"license": {"id": "my own"}}]})
    assert cyclonedx_faults(unknown) != []


def test_a_package_that_no_lock_has_is_named() -> None:
    rows = [distribution(), distribution(version="0.1"), distribution("strangler-gateway", "0.1.0")]
    assert sbom.not_locked(rows) == [f"{NAME} 0.1"]


@pytest.mark.parametrize(
    ("debian", "spdx"),
    [
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GFDL-1.3", "GFDL-1.3-only"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("public-domain", "public-domain"),
    ],
)
def test_debians_short_names_become_those_of_spdx(debian: str, spdx: str) -> None:
    assert licences.of_debian(debian) == spdx
