"""What the node's cluster has from the start: names, and volumes for those who claim one."""

import json
from collections.abc import Iterator
from pathlib import Path

from cluster.network import DNS, NODE_ADDRESS
from cluster.settings import DNS_PORT, NAME

VOLUMES = 12
"""There is no provisioner, so they are made beforehand."""
STORAGE_CLASS = "local"


def of_node(folder: Path) -> str:
    """For `kubectl apply`; makes the folders of the volumes."""
    items = [*_names(), _storage_class(), *_volumes(folder)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _names() -> Iterator[object]:
    """CoreDNS is a process of the node, so its Service has an address instead of a selector."""
    ports = [{"name": protocol.lower(), "port": DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]
    name: dict[str, object] = {"name": "kube-dns", "namespace": "kube-system"}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"clusterIP": DNS, "ports": ports}}
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": name | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS]}],
        "ports": ports,
    }


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
