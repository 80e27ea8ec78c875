"""One Kubernetes node: its daemons in the order in which they start, and everything gone after a stop."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from cluster import cgroups, dns, objects, programs, settings
from cluster.api_server import ApiServer, Ports
from cluster.containerd import Containerd
from cluster.kubectl import Kubectl
from cluster.network import NODE_ADDRESS, Namespace, expect_free
from cluster.settings import NAME
from parts.go_program import GoProgram
from parts.place import PartFailed, Place
from parts.process import Daemon, run

START_TIMEOUT_S = 180
READY_TIMEOUT_S = 180
PORTS: Mapping[GoProgram, int] = {
    programs.CONTROLLER_MANAGER: 10257,
    programs.SCHEDULER: 10259,
    programs.KUBELET: 10250,
    programs.PROXY: 10256,
    programs.FIREWALL: 20244,
}
"""Of the programs that follow the API server and containerd, in the order of their start."""
VOLUMES = "volumes"


class Node:
    """`place`: the folder of all that it writes, and of the programs."""

    def __init__(self, place: Place, namespace: Namespace) -> None:
        self._place, self.namespace = place, namespace
        self._server = ApiServer(place, place, namespace, Ports(), of_node=True)
        self.containerd = Containerd(place, namespace)
        self._daemons = {program: Daemon(place, program.name, namespace.is_open) for program in PORTS}

    @property
    def kubectl(self) -> Kubectl:
        """Raises PartFailed unless it is built."""
        return self._server.kubectl

    def start(self) -> Iterator[str]:
        """Starts what does not run; yields what was done. Raises PartFailed."""
        _expect_root()
        cgroups.expect_controllers()
        self.namespace.create()
        yield f"{self.namespace.name}: a network namespace without a way out"
        self._server.start()
        yield "etcd and kube-apiserver: ready"
        self.containerd.start()
        yield "containerd: runs"
        for program in PORTS:
            self._start(program)
            yield f"{program.name}: runs"
        self.kubectl.apply(objects.of_node(self._place.folder(VOLUMES)))
        self.kubectl.run("wait", "--for=condition=Ready", f"node/{NAME}", f"--timeout={READY_TIMEOUT_S}s")
        cgroups.prefer_pods()
        yield f"{NAME}: ready"

    def serve_names(self) -> Iterator[str]:
        """Returns when CoreDNS answers; its image has to be there. Raises PartFailed."""
        self.kubectl.apply(dns.objects())
        words = ("rollout", "status", dns.WORKLOAD, f"--timeout={READY_TIMEOUT_S}s")
        self.kubectl.run(f"--namespace={dns.NAMESPACE}", *words)
        yield "coredns: ready"

    def stop(self) -> None:
        """In reverse order; programs and images stay."""
        for daemon in reversed(self._daemons.values()):
            daemon.stop()
        self.containerd.stop()
        self._server.stop()
        _unmount_below(self._place.root)
        cgroups.remove()
        self.namespace.remove()
        for folder in (*(program.name for program in PORTS), "etcd", "kube-apiserver", VOLUMES):
            shutil.rmtree(self._place.folder(folder))

    def is_running(self) -> bool:
        """Whether all its daemons do."""
        return all(daemon.process() is not None for daemon in self._daemons.values())

    def restart(self) -> None:
        """kubelet and containerd, as an upgrade of the node does; its pods go on."""
        self._daemons[programs.KUBELET].stop()
        self.containerd.restart()
        self._start(programs.KUBELET)

    def _start(self, program: GoProgram) -> None:
        if self._daemons[program].process() is None:
            expect_free(self.namespace, PORTS[program])
            command: list[str | Path] = [*self.namespace.prefix, program.built(self._place), *self._options(program)]
            self._daemons[program].start(command, PORTS[program], START_TIMEOUT_S)

    def _options(self, program: GoProgram) -> list[str]:
        folder, kubeconfig = self._place.folder(program.name), self._server.kubeconfig
        match program:
            case programs.CONTROLLER_MANAGER:
                return [
                    f"--kubeconfig={kubeconfig}",
                    f"--service-account-private-key-file={self._server.key}",
                    f"--root-ca-file={self._server.certificate}",
                    f"--cert-dir={folder}",
                    "--leader-elect=false",
                ]
            case programs.SCHEDULER:
                return [f"--kubeconfig={kubeconfig}", f"--cert-dir={folder}", "--leader-elect=false"]
            case programs.KUBELET:
                return [
                    f"--config={_file(folder, settings.of_kubelet(folder, self.containerd.socket))}",
                    f"--kubeconfig={kubeconfig}",
                    f"--root-dir={folder / 'root'}",
                    f"--cert-dir={folder / 'certificates'}",
                    f"--hostname-override={NAME}",
                    f"--node-ip={NODE_ADDRESS}",
                ]
            case programs.PROXY:
                return [f"--config={_file(folder, settings.of_proxy(kubeconfig))}"]
            case _:
                return settings.of_firewall(kubeconfig, PORTS[program])


def _file(folder: Path, content: Mapping[str, object]) -> Path:
    file = folder / "settings.json"
    file.write_text(json.dumps(content))
    return file


def _expect_root() -> None:
    if os.geteuid() != 0:
        raise PartFailed("a node needs root: run it as root, or name a cluster of yours in KUBECONFIG")


def _unmount_below(root: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for path in reversed([path for path in mounted if Path(path).is_relative_to(root)]):
        run(["umount", "--lazy", path])
