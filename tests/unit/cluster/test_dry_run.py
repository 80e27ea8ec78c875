"""What an API server says to the overlays: it refuses what their schemas allow."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import api_server, programs
from cluster.__main__ import place
from cluster.kubectl import Kubectl
from images.engine import ROOT
from parts.place import PartFailed

OVERLAYS = sorted(path.parent for path in ROOT.glob("k8s/overlays/*/kustomization.yaml"))
FIRST = ("Namespace", "PriorityClass")
"""A dry run keeps nothing, so what others refer to is there before it."""
BOTH_BOUNDS = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "both", "namespace": "default"},
    "spec": {"minAvailable": 1, "maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}},
}


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    if not programs.are_built(place(), programs.OF_API_SERVER) or shutil.which("etcd") is None:
        pytest.skip("the API server is not built here: make cluster builds it")
    with api_server.alone(tmp_path_factory.mktemp("api-server"), place()) as kubectl:
        yield kubectl


def known(kubectl: Kubectl, objects: Sequence[Any]) -> Sequence[Any]:
    """Without kinds that a cluster's own add-ons bring, such as an HTTPRoute; manifests/ reads those."""
    groups = {line.split()[0] for line in kubectl.run("api-versions").splitlines()}
    return [one for one in objects if one["apiVersion"] in groups]


def as_list(objects: Sequence[Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_api_server_accepts_every_object(kubectl: Kubectl, overlay: Path) -> None:
    objects = known(kubectl, [*yaml.safe_load_all(kubectl.run("kustomize", str(overlay)))])
    kubectl.apply(as_list([one for one in objects if one["kind"] in FIRST]))
    done = kubectl.apply(as_list(objects), "--dry-run=server").splitlines()
    assert len(done) == len(objects) > len(FIRST)


def test_what_a_schema_allows_and_the_api_server_does_not_is_refused(kubectl: Kubectl) -> None:
    with pytest.raises(PartFailed, match="cannot be both set"):
        kubectl.apply(json.dumps(BOTH_BOUNDS), "--dry-run=server")
