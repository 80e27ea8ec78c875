"""What the node's cluster has from the start: volumes for those who claim one."""

import json
from collections.abc import Iterator
from pathlib import Path

from cluster.settings import NAME

VOLUMES = 12
"""There is no provisioner, so they are made beforehand."""
STORAGE_CLASS = "local"


def of_node(folder: Path) -> str:
    """For `kubectl apply`; makes the folders of the volumes."""
    items = [_storage_class(), *_volumes(folder)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _storage_class() -> object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volumes(folder: Path) -> Iterator[object]:
    here = [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}]
    for number in range(VOLUMES):
        name = f"volume-{number}"
        (folder / name).mkdir(exist_ok=True)
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "100Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": STORAGE_CLASS,
                "local": {"path": str(folder / name)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": here}]}},
            },
        }
