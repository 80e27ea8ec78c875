"""Pods that run a Python program of the tests, which PodSecurity `restricted` admits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cluster.kubectl import Kubectl
from tests.cluster.rendered import image

READY_S = 300


def running_pod(
    namespace: str, name: str, labels: Mapping[str, str], program: Sequence[str], ports: Sequence[Any] = ()
) -> Any:
    """`program`: its text and its arguments."""
    container = {
        "name": "app",
        "image": image("polycode-examples"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", *program],
        "ports": ports,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


@contextmanager
def running(kubectl: Kubectl, objects: Sequence[Any]) -> Iterator[None]:
    """Pods, and what they need; they are ready. Nothing of it is left."""
    namespaces = [one for one in objects if one["kind"] == "Namespace"]
    try:
        if namespaces:
            kubectl.apply(_listed(namespaces))
        for one in namespaces:
            kubectl.run(
                f"--namespace={one['metadata']['name']}",
                "wait",
                "--for=create",
                "serviceaccount/default",
                "--timeout=300s",
            )
        kubectl.apply(_listed(objects))
        for namespace in {one["metadata"]["namespace"] for one in objects if one["kind"] == "Pod"}:
            names = [f"pod/{one['metadata']['name']}" for one in objects if _is_pod_in(namespace, one)]
            kubectl.run(f"--namespace={namespace}", "wait", "--for=condition=Ready", *names, f"--timeout={READY_S}s")
        yield
    finally:
        kubectl.run("delete", "--ignore-not-found", "--filename=-", stdin=_listed(objects))


def _listed(objects: Sequence[Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _is_pod_in(namespace: str, one: Any) -> bool:
    return bool(one["kind"] == "Pod" and one["metadata"]["namespace"] == namespace)


def namespace_named(name: str) -> Any:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
