"""Renders overlays with kustomize: that of kubectl, one on the path, or one built into the virtual environment."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from manifests.objects import Manifests, Object
from parts.go_program import go
from parts.place import PartFailed

ROOT = Path(__file__).parents[1]
OVERLAYS = ("development", "production")
VARIANTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "production with an Ingress": ("production", ["ingress"]),
    "production with Vault's agent": ("production", ["vault-agent"]),
    "production with gVisor": ("production", ["gvisor"]),
}
"""What an overlay does not choose, but an operator may: the overlay, and the components beside it."""
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2"
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderFailed(Exception):
    """kustomize is not there, or cannot render; the message says why."""


def overlay(name: str) -> Manifests:
    """An overlay of k8s/overlays. Raises RenderFailed."""
    return Manifests(rendered(ROOT / "k8s/overlays" / name), _given(name))


def variant(name: str) -> Manifests:
    """One of VARIANTS. Raises RenderFailed."""
    base, components = VARIANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        k8s = os.path.relpath(ROOT / "k8s", os.path.realpath(folder))
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{k8s}/overlays/{base}"],
            "components": [f"{k8s}/components/{one}" for one in components],
        }
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(content))
        return Manifests(rendered(Path(folder)), _given(base))


def rendered(folder: Path) -> Sequence[Object]:
    """The objects of one kustomization. Raises RenderFailed."""
    text = _run([*_program(), str(folder)])
    return [one for one in yaml.load_all(text, _Loader) if one]  # a safe loader


@cache
def _program() -> Sequence[str]:
    if found := shutil.which("kubectl"):
        return [found, "kustomize"]
    if found := shutil.which("kustomize"):
        return [found, "build"]
    program = Path(sys.prefix) / "bin/kustomize"
    try:
        if not program.exists():
            _run([go(), "install", KUSTOMIZE], {"GOBIN": str(program.parent), "CGO_ENABLED": "0"})
    except PartFailed as error:
        raise RenderFailed(f"neither kubectl nor kustomize is here, and it cannot be built: {error}") from error
    return [str(program), "build"]


def _given(name: str) -> Mapping[tuple[str, str], Sequence[str]]:
    """The Secrets that deploy/cluster-secrets.sh makes for an overlay."""
    listed = _run(["sh", str(ROOT / "deploy/cluster-secrets.sh"), "list", name])
    rows = [line.split() for line in listed.splitlines()]
    return {(namespace, secret): keys for namespace, secret, *keys in rows}


def _run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    environment = os.environ | (environ or {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise RenderFailed(f"{' '.join(command)} failed ({done.returncode}):\n{done.stderr.strip()[-4000:]}")
    return done.stdout
