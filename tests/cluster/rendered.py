"""The objects to apply: the tests' overlay, with the images of whose cluster it is, and a gate that a test can pass."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cluster.kubectl import Kubectl
from examples.migration.__main__ import routes_text

OVERLAY = Path(__file__).with_name("overlay")
OURS = "localhost/"


def image(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Of this repository, as CLUSTER_IMAGES=REGISTRY/ and CLUSTER_TAG name it; as the overlay does without them."""
    return f"{environ.get('CLUSTER_IMAGES') or OURS}{name}:{environ.get('CLUSTER_TAG') or 'latest'}"


def objects(kubectl: Kubectl) -> Sequence[Any]:
    """All. Raises PartFailed."""
    found = [*yaml.safe_load_all(kubectl.run("kustomize", str(OVERLAY)))]
    for one in found:
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "routes":
            one["data"] = {"routes.yaml": routes_text()}
        for container in _containers(one):
            container["image"] = _placed(container["image"])
    return found


def _placed(name: str) -> str:
    return image(name.removeprefix(OURS).rpartition(":")[0]) if name.startswith(OURS) else name


def _containers(one: Any) -> Sequence[Any]:
    """Of a workload, or of a CronJob's Jobs."""
    spec = one.get("spec", {})
    pod = spec.get("jobTemplate", {}).get("spec", spec).get("template", {}).get("spec", {})
    return [*pod.get("containers", ()), *pod.get("initContainers", ())]
