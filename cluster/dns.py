"""CoreDNS as a cluster has it: a pod in kube-system that NetworkPolicies select, behind the Service kube-dns."""

import json

from cluster.network import DNS

IMAGE = "localhost/strangler-coredns:latest"
NAMESPACE = "kube-system"
WORKLOAD = "deployment/coredns"
LABELS = {"k8s-app": "kube-dns"}
PORT = 53
READY_PORT = 8181
COREFILE = f""".:{PORT} {{
    errors
    ready :{READY_PORT}
    cache 2
    kubernetes cluster.local
}}
"""
"""Names of the cluster alone: there is no way out to ask for others."""
_NAME = {"name": "coredns", "namespace": NAMESPACE}
_RBAC = "rbac.authorization.k8s.io"


def objects() -> str:
    """For `kubectl apply`."""
    items = (_account(), _role(), _binding(), _config(), _deployment(), _service())
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _account() -> object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _NAME}


def _role() -> object:
    """It reads which names and addresses there are, and nothing else."""
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": read},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
    ]
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "coredns"}, "rules": rules}


def _binding() -> object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "coredns"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"kind": "ServiceAccount", **_NAME}],
    }


def _config() -> object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _NAME, "data": {"Corefile": COREFILE}}


def _deployment() -> object:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf=/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": READY_PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    spec = {"selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _NAME, "spec": spec}


def _service() -> object:
    ports = [{"name": protocol.lower(), "port": PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]
    name = {"name": "kube-dns", "namespace": NAMESPACE}
    spec = {"clusterIP": DNS, "selector": LABELS, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": spec}
