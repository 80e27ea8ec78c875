"""Every object has the shape that its API asks for: Kubernetes' own by its schemas, others by the rules in `shapes`."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache

import kubernetes_validate  # type: ignore[import-untyped]
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError  # type: ignore[import-untyped]

from manifests.objects import Finding, Manifests, Object, where
from manifests.shapes import SHAPES, faults

VERSION = "1.34"
"""The Kubernetes that is meant; 1.30 is the oldest with a preStop that sleeps."""


def invalid(manifests: Manifests) -> Iterator[Finding]:
    """Unknown kinds, unknown and missing fields, values of another type."""
    for one in manifests.objects:
        for message in _faults(json.dumps(one, default=str)):
            yield Finding(where(one), message)


def doubled(manifests: Manifests) -> Iterator[Finding]:
    """Two objects of one kind and name."""
    counted = Counter(where(one) for one in manifests.objects)
    yield from (Finding(name, f"is there {times} times") for name, times in counted.items() if times > 1)


@cache
def _faults(text: str) -> tuple[str, ...]:
    one: Object = json.loads(text)
    if (one["apiVersion"], one["kind"]) in SHAPES:
        return tuple(faults(one))
    try:
        kubernetes_validate.validate(one, VERSION, strict=True)
    except ValidationError as error:
        return (f"{'.'.join(map(str, error.path))}: {error.message}"[:300],)
    except SchemaNotFoundError:
        return (f"nothing is known of {one['apiVersion']} {one['kind']}: add it to manifests/shapes.py",)
    return ()
