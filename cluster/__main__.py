"""`python -m cluster up|images|stop|restart|status|due|passed|envoy_gateway`: a Kubernetes node; tells each step."""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster import node_images, programs, record
from cluster.network import Namespace
from cluster.node import Node
from images.__main__ import engine as find_engine
from images.engine import EngineFailed
from parts.place import PartFailed, Place

NAMESPACE = "strangler"


def place() -> Place:
    """Programs, images and the state of the node: CLUSTER_DIR, or a folder in /var/tmp."""
    folder = Path(os.environ.get("CLUSTER_DIR") or f"/var/tmp/strangler-cluster-{os.geteuid()}").absolute()  # noqa: S108
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PartFailed(f"{folder} belongs to another user; name another folder in CLUSTER_DIR")
    return Place.own(folder)


def node() -> Node:
    return Node(place(), Namespace(NAMESPACE))


def up() -> None:
    """Installs, builds and starts what is missing. Does nothing where KUBECONFIG names a cluster."""
    if os.environ.get("KUBECONFIG"):
        print("KUBECONFIG names a cluster: no node is started here", flush=True)
        return
    programs.install()
    _tell(programs.build(place()))
    _tell(node().start())
    _tell(node_images.give_own(node().containerd, place(), find_engine()))
    _tell(node().serve_names())
    print(f"export PATH={node().kubectl.program.parent}:$PATH  # kubectl for this node", flush=True)


def _tell(steps: Iterable[str]) -> None:
    begun = time.monotonic()
    for step in steps:
        print(f"{step} ({time.monotonic() - begun:.1f} s)", flush=True)
        begun = time.monotonic()


def images() -> None:
    """Gives the node all images that `make images` has built, as far as they have changed."""
    _tell(node_images.give(node().containerd, place(), find_engine()))


def stop() -> None:
    """Ends everything; what was built and imported stays."""
    node().stop()
    print("stopped; programs and images stay", flush=True)


def restart() -> None:
    """kubelet and containerd; pods go on."""
    node().restart()
    print("kubelet and containerd: restarted", flush=True)


def status() -> None:
    """Raises PartFailed unless it runs."""
    if not node().is_running():
        raise PartFailed("it does not run: make cluster")
    print("it runs", flush=True)


def due() -> None:
    """Raises PartFailed if the tests on the node need not be run, with the reason."""
    reason = record.reason_against(place())
    if reason is not None:
        raise PartFailed(f"test-cluster is not run: {reason}")


def passed() -> None:
    """Notes that the tests on the node have passed. On another cluster some are left out, so that proves less."""
    if not os.environ.get("KUBECONFIG"):
        record.passed(place())


def envoy_gateway() -> None:
    """Builds it and the API server that it reads from, for the tests of exported HTTPRoutes."""
    programs.install("etcd", "bwrap")
    _tell(programs.build(place(), programs.OF_EXPORTS))


VERBS = {verb.__name__: verb for verb in (up, images, stop, restart, status, due, passed, envoy_gateway)}


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        for verb in _parser().parse_args(arguments).verbs:
            VERBS[verb]()
    except (PartFailed, EngineFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("verbs", nargs="+", choices=VERBS, metavar="verb", help=", ".join(VERBS))
    return parser


if __name__ == "__main__":
    sys.exit(main())
