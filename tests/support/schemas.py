"""The schema of CycloneDX 1.6, with those that it refers to, as the package cyclonedx-python-lib ships them."""

import json
from importlib.resources import files
from typing import Any

import jsonschema_rs


def cyclonedx_faults(document: dict[str, Any]) -> list[str]:
    """What the schema finds; empty for a valid document."""
    folder = files("cyclonedx.schema") / "_res"
    schemas = {
        name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    others = [
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schemas[name]) for name in ("spdx", "jsf-0.82")
    ]
    registry = jsonschema_rs.Registry(others, draft=jsonschema_rs.Draft7)
    validator = jsonschema_rs.Draft7Validator(schemas["bom-1.6"], registry=registry, validate_formats=True)
    return [f"{list(error.instance_path)}: {error.message}"[:300] for error in validator.iter_errors(document)]
