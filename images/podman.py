"""Podman as root, with a store of its own: it works in a container or a virtual machine without systemd."""

import json
import os
import resource
import shutil
import sys
from pathlib import Path

from images import pip_settings
from images.engine import Engine, EngineFailed
from parts import packages
from parts.place import PartFailed

PROGRAMS = {
    "podman": "podman",
    "conmon": "conmon",
    "runc": "runc",
    "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
"""What has to be there, and the Debian package that brings it."""
STORAGE = """[storage]
driver = "overlay"
runroot = {runroot}
graphroot = {graphroot}
"""
CONTAINERS = """[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc=32768:32768"]
[engine]
events_logger = "file"
runtime = "runc"
"""


def engine(folder: Path) -> Engine:
    """As an ordinary user: Podman as it is set up. As root: with its own store and settings in `folder`."""
    compose = (sys.executable, "-m", "podman_compose")
    options = ("--isolation=chroot", "--network=host", "--pull=never", "--format=docker", *pip_settings.mounts(folder))
    if os.geteuid() != 0:
        if shutil.which("podman") is None:
            raise EngineFailed("neither docker nor podman answers here; install one of them, or run this as root")
        return Engine("podman", compose, {}, options)
    _install()
    return Engine("podman", compose, _configured(folder), options)


def _install() -> None:
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        try:
            packages.install(" ".join(missing), "what runs containers")
        except PartFailed as error:
            raise EngineFailed(str(error)) from error


def _configured(folder: Path) -> dict[str, str]:
    """The variables that name our settings. Without CAP_SYS_RESOURCE the limits that Podman would set are refused."""
    containers = CONTAINERS.format(nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    if not Path("/run/systemd/system").is_dir():
        containers += 'cgroup_manager = "cgroupfs"\n'
    storage = STORAGE.format(runroot=json.dumps(str(folder / "run")), graphroot=json.dumps(str(folder / "store")))
    (folder / "containers.conf").write_text(containers)
    (folder / "storage.conf").write_text(storage)
    return {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
