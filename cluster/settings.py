"""The settings of the programs that follow the API server and containerd."""

from collections.abc import Mapping
from pathlib import Path

from cluster.network import DNS, NODE_ADDRESS, PODS, SERVICES

NAME = "node"


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


def of_firewall(kubeconfig: Path, health_port: int) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NAME}",
        "--run-router=false",
        "--run-service-proxy=false",
        f"--service-cluster-ip-range={SERVICES}",
        f"--health-port={health_port}",
    ]
