"""etcd and the API server: with a node, or alone on loopback, where it checks objects as a cluster would."""

import json
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import programs
from cluster.kubectl import Kubectl
from cluster.network import NODE_ADDRESS, SERVICES, Loopback, Network, expect_free
from parts.place import PartFailed, Place
from parts.ports import free_ports
from parts.process import POLL_S, Daemon, run

START_TIMEOUT_S = 180
ADMISSION = {True: (), False: ("--disable-admission-plugins=ServiceAccount",)}
"""With and without a controller manager, which makes service accounts."""


@dataclass(frozen=True, slots=True)
class Ports:
    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380


class ApiServer:
    """`of_node`: beside a controller manager, at the node's address."""

    def __init__(self, place: Place, built: Place, network: Network, ports: Ports, *, of_node: bool) -> None:
        """`place`: its folders; `built`: where the programs are."""
        self._built, self._network, self._ports, self._of_node = built, network, ports, of_node
        self._folder = place.folder("kube-apiserver")
        self._data = place.folder("etcd") / "data"
        self._commands = place.folder("commands")
        self._etcd = Daemon(place, "etcd", network.is_open)
        self._server = Daemon(place, "kube-apiserver", network.is_open)
        self._address = NODE_ADDRESS if of_node else "127.0.0.1"
        self.key = self._folder / "service-accounts.key"
        self.certificate = self._folder / "certificates" / "apiserver.crt"
        self.kubeconfig = self._folder / "kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        """A script, which can be called from anywhere. Raises PartFailed unless kubectl is built."""
        words = [*self._network.prefix, programs.KUBECTL.built(self._built), f"--kubeconfig={self.kubeconfig}"]
        script = self._commands / "kubectl"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        script.chmod(0o700)
        return Kubectl(script, self._network.prefix)

    def start(self) -> None:
        """Returns when it answers. Raises PartFailed."""
        self._start_etcd()
        if self._server.process() is None:
            expect_free(self._network, self._ports.api)
            program = programs.API_SERVER.built(self._built)
            command: list[str | Path] = [*self._network.prefix, program, *self._options(self._prepare())]
            self._server.start(command, self._ports.api, START_TIMEOUT_S)
        self._wait_until_ready()

    def stop(self) -> None:
        """Both; the data stays."""
        self._server.stop()
        self._etcd.stop()

    def is_running(self) -> bool:
        return self._server.process() is not None

    def _start_etcd(self) -> None:
        if self._etcd.process() is not None:
            return
        expect_free(self._network, self._ports.etcd)
        clients, peers = (f"http://127.0.0.1:{port}" for port in (self._ports.etcd, self._ports.etcd_peer))
        own = ("--data-dir", self._data, "--unsafe-no-fsync", "--logger=zap")
        urls = (f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}", f"--listen-peer-urls={peers}")
        self._etcd.start([*self._network.prefix, "etcd", *own, *urls], self._ports.etcd, START_TIMEOUT_S)

    def _prepare(self) -> Path:
        """Returns the file of tokens. A key and a token are made once."""
        tokens = self._folder / "tokens.csv"
        if not tokens.exists():
            token = secrets.token_urlsafe()
            run(["openssl", "genrsa", "-out", self.key, "2048"])
            self.kubeconfig.write_text(json.dumps(self._access(token)))
            tokens.write_text(f'{token},admin,admin,"system:masters"\n')
        return tokens

    def _access(self, token: str) -> object:
        server = {
            "server": f"https://{self._address}:{self._ports.api}",
            "certificate-authority": str(self.certificate),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
            "current-context": "here",
        }

    def _options(self, tokens: Path) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._ports.etcd}",
            f"--bind-address={'0.0.0.0' if self._of_node else self._address}",  # noqa: S104  # of its namespace
            *([f"--advertise-address={self._address}"] if self._of_node else []),
            f"--secure-port={self._ports.api}",
            f"--cert-dir={self.certificate.parent}",
            f"--service-account-key-file={self.key}",
            f"--service-account-signing-key-file={self.key}",
            f"--service-account-issuer=https://{self._address}:{self._ports.api}",
            f"--token-auth-file={tokens}",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=RBAC",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged",
            *ADMISSION[self._of_node],
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.kubectl.succeeds("get", "--raw", "/readyz"):
            if not self.is_running() or time.monotonic() > deadline:
                raise PartFailed(f"the API server does not become ready; see {self._server.log}")
            time.sleep(POLL_S)


@contextmanager
def alone(folder: Path, built: Place) -> Iterator[Kubectl]:
    """An API server without a node on loopback, for dry runs; nothing of it is left. Raises PartFailed."""
    server = ApiServer(Place.own(folder), built, Loopback(), Ports(*free_ports(3)), of_node=False)
    try:
        server.start()
        yield server.kubectl
    finally:
        server.stop()
