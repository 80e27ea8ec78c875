"""The settings of kubelet, kube-proxy and CoreDNS."""

from collections.abc import Mapping
from pathlib import Path

from cluster.network import DNS, NODE_ADDRESS, PODS

NAME = "node"
DNS_PORT = 53
COREFILE = """.:{port} {{
    errors
    cache 2
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
    }}
}}
"""


def of_kubelet(folder: Path, containerd: Path) -> Mapping[str, object]:
    """Nobody outside the namespace reaches it, so it asks nobody for a credential. `containerd`: its socket."""
    resolve = folder / "resolv.conf"
    resolve.write_text(f"nameserver {NODE_ADDRESS}\n")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{containerd}",
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "resolvConf": str(resolve),
        "podLogsDir": str(folder / "logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "syncFrequency": "5s",
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
    }


def of_proxy(kubeconfig: Path) -> Mapping[str, object]:
    """It may not write the kernel's limits of tracked connections."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def of_dns(kubeconfig: Path) -> str:
    """Names of the cluster alone: there is no way out to ask for others."""
    return COREFILE.format(port=DNS_PORT, kubeconfig=kubeconfig)
