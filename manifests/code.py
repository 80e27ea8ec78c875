"""What the manifests say of our processes is what the code says: images, variables, ports, and the routes."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

import yaml

from images.build import IMAGES
from images.engine import ROOT
from manifests.objects import Finding, Manifests, Workload, image_name, where
from manifests.references import values

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "polycode-account": ("Account", "Commands"),
    "polycode-gateway": ("Gateway", "PolyCode's identity plugin", "Commands"),
    "polycode-learning": ("Learning",),
    "polycode-mailer": ("Mailer",),
    "polycode-runner": ("Runner",),
    "polycode-shop": ("Shop",),
    "polycode-examples": ("The stand-in monolith",),
    "strangler-registrar": ("Registrar",),
}
"""The sections of docs/settings.md that a process of this image reads."""
OTHERS = re.compile(r"OTEL_\w+|POLYCODE_KEYCLOAK_\w+")
"""Of the OpenTelemetry libraries, and of `polycode identity apply`: in no section."""
_ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \| ([^|]+?) \|(?: ([^|]+?) \|)?", re.MULTILINE)
_IN_ROUTES = re.compile(r"\$\{([A-Z0-9_]+)")


@cache
def settings() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    """By section of docs/settings.md, which is written from the code: each variable's type and default."""
    sections = re.split(r"^## ", (ROOT / "docs/settings.md").read_text(), flags=re.MULTILINE)
    named = ((part.partition("\n")[0], part) for part in sections)
    return {name: {row[0]: (row[1], row[2].strip("`")) for row in _ROW.findall(part)} for name, part in named}


def known(image: str) -> Mapping[str, tuple[str, str]]:
    """What a process of this image reads; a secret from a file, too."""
    found: dict[str, tuple[str, str]] = {}
    for section in SECTIONS.get(image, ()):
        found |= settings()[section]
    secrets = [name for name, (kind, _) in found.items() if kind == "secret" or f"`{name}_FILE`" in kind]
    files = {f"{name}_FILE": ("path", "–") for name in secrets}
    routes = _IN_ROUTES.findall((ROOT / "routes.yaml").read_text()) if image == "polycode-gateway" else []
    return found | files | dict.fromkeys(routes, ("text", "–"))


def defaults(workload: Workload) -> Mapping[str, str]:
    """The default of each variable that the workload's own image reads."""
    return {name: default for name, (_, default) in known(image_name(workload.spec["containers"][0])).items()}


def unknown_images(manifests: Manifests) -> Iterator[Finding]:
    """An image that `make images` does not build, or a server's that parts/compose.yaml does not have."""
    parts = yaml.safe_load((ROOT / "parts/compose.yaml").read_text())["services"].values()
    servers = {part["image"] for part in parts}
    built = {image.name for image in IMAGES}
    for workload in manifests.workloads:
        for container in workload.containers:
            image = container["image"]
            if image_name(container) not in built and (workload.is_ours or image not in servers):
                yield Finding(where(workload.object), f"nobody builds the image {image}")
            if ":" not in image.rpartition("/")[2]:
                yield Finding(where(workload.object), f"the image {image} has no version: list it in `images:`")


def unknown_variables(manifests: Manifests) -> Iterator[Finding]:
    """A variable that no setting has, a required one that is missing, one that is there twice."""
    for workload in manifests.workloads:
        for container in workload.containers:
            image = image_name(container)
            if image not in SECTIONS:
                continue
            given, reads = values(manifests, workload, container), known(image)
            for name in sorted(given.keys() - reads.keys()):
                if not OTHERS.fullmatch(name):
                    yield Finding(where(workload.object), f"{image} knows no variable {name}")
            for name in sorted(reads.keys() & given.keys()):
                if f"{name}_FILE" in given:
                    yield Finding(where(workload.object), f"{name} and {name}_FILE are both set")
            if workload.serves and container in workload.spec["containers"]:
                for name, (_, default) in reads.items():
                    if default == "required" and name not in given and f"{name}_FILE" not in given:
                        yield Finding(where(workload.object), f"{name} is required")


def other_ports(manifests: Manifests) -> Iterator[Finding]:
    """A port that the image does not listen on, or one that it does and nobody could reach."""
    dockerfiles = {image.name: ROOT / image.dockerfile for image in IMAGES}
    for workload in manifests.workloads:
        image = image_name(workload.spec["containers"][0])
        if not workload.serves or image not in dockerfiles:
            continue
        exposed = re.findall(r"^EXPOSE (.+)$", dockerfiles[image].read_text(), re.MULTILINE)
        wanted = {int(port) for line in exposed for port in line.split()}
        if set(workload.ports.values()) != wanted:
            message = f"its ports are {sorted(workload.ports.values())}, those of {image} {sorted(wanted)}"
            yield Finding(where(workload.object), message)


def copied_routes(manifests: Manifests) -> Iterator[Finding]:
    """kustomize reads no file outside of its folder, so routes.yaml is there twice."""
    for one in manifests.of_kind("ConfigMap"):
        if "routes.yaml" in one.get("data", {}) and one["data"]["routes.yaml"] != (ROOT / "routes.yaml").read_text():
            yield Finding(where(one), "differs from routes.yaml: cp routes.yaml k8s/base/system/routes.yaml")
