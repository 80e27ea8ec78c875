"""containerd with a folder of its own: it runs the containers of the node's pods."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.network import PODS, Network, expect_free
from parts.place import PartFailed, Place
from parts.process import STOP_TIMEOUT_S, Daemon, run

START_TIMEOUT_S = 180
STREAMING_PORT = 10010
"""Of `kubectl exec`; opened as the last one, when kubelet may ask."""
PAUSE = "localhost/strangler-pause:latest"
SETTINGS = """version = 2
root = {root}
state = {state}
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = {socket}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
stream_server_port = "{streaming}"
disable_apparmor = true
netns_mounts_under_state_dir = true
enable_unprivileged_ports = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = {runc}
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = {cni}
"""


class Containerd:
    def __init__(self, place: Place, network: Network) -> None:
        self._network = network
        self._folder = place.folder("containerd")
        self._daemon = Daemon(place, "containerd", network.is_open)
        self._imported = self._folder / "imported.json"
        self.socket = self._folder / "socket"

    def start(self) -> None:
        """Raises PartFailed."""
        if self._daemon.process() is None:
            expect_free(self._network, STREAMING_PORT)
            command: list[str | Path] = [*self._network.prefix, "containerd", "--config", self._settings()]
            self._daemon.start(command, STREAMING_PORT, START_TIMEOUT_S)

    def restart(self) -> None:
        """Containers go on."""
        self._daemon.stop()
        self.start()

    def stop(self) -> None:
        """With all containers. Images stay, for the next start."""
        if self._daemon.process() is not None:
            for kind, words in (
                ("tasks", ("kill", "--all", "--signal=SIGKILL")),
                ("tasks", ("delete", "--force")),
                ("containers", ("delete",)),
            ):
                for name in self.control(kind, "list", "--quiet").split():
                    with suppress(PartFailed):
                        self.control(kind, *words, name)
        self._daemon.stop()
        _end(self._shims())

    def control(self, *words: str | Path) -> str:
        """`ctr WORDS` in the namespace of Kubernetes. Raises PartFailed."""
        return run(["ctr", "--address", self.socket, "--namespace=k8s.io", *words])

    def import_images(self, versions: Mapping[str, str], archive: Path) -> None:
        """`versions`: by name, an id that changes with the image. Raises PartFailed."""
        self.control("images", "import", archive)
        self._imported.write_text(json.dumps({**self.imported(), **versions}))

    def tag(self, name: str, other: str) -> None:
        """Both with registry and version. Raises PartFailed."""
        self.control("images", "tag", "--force", name, other)

    def imported(self) -> dict[str, str]:
        """The version of each image."""
        with suppress(FileNotFoundError):
            found: dict[str, str] = json.loads(self._imported.read_text())
            return found
        return {}

    def _settings(self) -> Path:
        cni = self._folder / "cni"
        cni.mkdir(exist_ok=True)
        (cni / "10-pods.conflist").write_text(json.dumps(self._pod_network()))
        folders = {name: json.dumps(str(self._folder / name)) for name in ("root", "state", "socket", "runc", "cni")}
        file = self._folder / "settings.toml"
        file.write_text(SETTINGS.format(streaming=STREAMING_PORT, pause=PAUSE, **folders))
        return file

    def _pod_network(self) -> object:
        addresses = {
            "type": "host-local",
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(self._folder / "addresses"),
        }
        bridge = {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
        return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}

    def _shims(self) -> Iterator[psutil.Process]:
        """The parents of containers, which outlive containerd; known by our socket in their command line."""
        for process in psutil.process_iter(["cmdline"]):
            words: Sequence[str] = process.info["cmdline"] or ()
            if words and Path(words[0]).name.startswith("containerd-shim") and str(self.socket) in words:
                yield process


def _end(processes: Iterator[psutil.Process]) -> None:
    found = [*processes]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=STOP_TIMEOUT_S)
