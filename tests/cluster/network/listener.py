"""Pods that accept connections where a real one would."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.pods import running_pod

LISTEN = Path(__file__).with_name("listen.py").read_text()


def listener(namespace: str, name: str, labels: Mapping[str, str], listens: Sequence[int], ports: Sequence[Any]) -> Any:
    """`listens`: where it does; `ports`: what its container says of them."""
    return running_pod(namespace, name, labels, [LISTEN, *map(str, listens)], ports)
