"""The objects of a rendered overlay, and the pods that they make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Object = Mapping[str, Any]
"""As in YAML: apiVersion, kind, metadata, …"""
Labels = Mapping[str, str]

PART_OF = "app.kubernetes.io/part-of"
PARTS = "polycode-parts"
"""The label of servers that stand in for those of a production system."""
COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: in which object, and what is wrong and wanted."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods: `template` is their template."""

    object: Object
    template: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        return namespace(self.object)

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.template["spec"]  # type: ignore[no-any-return]  # YAML

    @property
    def labels(self) -> Labels:
        return self.template.get("metadata", {}).get("labels", {})  # type: ignore[no-any-return]  # YAML

    @property
    def annotations(self) -> Labels:
        return self.template.get("metadata", {}).get("annotations", {})  # type: ignore[no-any-return]  # YAML

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        """Those that stay, then those that run first."""
        return [*self.spec.get("containers", ()), *self.spec.get("initContainers", ())]

    @property
    def ports(self) -> Mapping[str, int]:
        """Of the containers that stay, by name."""
        listed = [port for one in self.spec.get("containers", ()) for port in one.get("ports", ())]
        return {port["name"]: port["containerPort"] for port in listed}

    @property
    def is_ours(self) -> bool:
        return self.labels.get(PART_OF) != PARTS

    @property
    def serves(self) -> bool:
        """Whether it is the gateway or a service, which must be there all the time."""
        return self.object["metadata"].get("labels", {}).get(COMPONENT) in ("gateway", "service")


class Manifests:
    """Everything that one overlay applies. `given`: Secrets that are made apart, and their keys."""

    def __init__(self, objects: Sequence[Object], given: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.objects = objects
        self.given = given

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        return (one for one in self.objects if one["kind"] in kinds)

    def find(self, kind: str, where: str, name: str) -> Object | None:
        """`where`: its namespace, or the empty text."""
        return self._by_name.get((kind, where, name))

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str, str], Object]:
        return {(one["kind"], namespace(one), one["metadata"]["name"]): one for one in self.objects}

    @cached_property
    def workloads(self) -> Sequence[Workload]:
        jobs = ((one, one["spec"]["jobTemplate"]["spec"]) for one in self.of_kind("CronJob"))
        others = ((one, one["spec"]) for one in self.of_kind("DaemonSet", "Deployment", "Job", "StatefulSet"))
        return [Workload(one, spec["template"]) for one, spec in (*others, *jobs)]

    def selected(self, where: str, selector: Mapping[str, Any]) -> list[Workload]:
        """The workloads of a namespace whose pods a label selector matches."""
        return [one for one in self.workloads if one.namespace == where and matches(selector, one.labels)]

    @cached_property
    def secrets(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """The keys of every Secret, by namespace and name."""
        made = {(namespace(one), one["metadata"]["name"]): list(_data(one)) for one in self.of_kind("Secret")}
        return {**made, **self.fetched} if self.fetched else {**self.given, **made}

    @cached_property
    def fetched(self) -> Mapping[tuple[str, str], Sequence[str]]:
        """The same of those that External Secrets brings."""
        return {
            (namespace(one), one["spec"]["target"]["name"]): [row["secretKey"] for row in one["spec"]["data"]]
            for one in self.of_kind("ExternalSecret")
        }


def namespace(one: Object) -> str:
    return str(one["metadata"].get("namespace", ""))


def where(one: Object) -> str:
    """How findings name an object."""
    name = one["metadata"]["name"]
    return f"{one['kind']} {namespace(one)}/{name}" if namespace(one) else f"{one['kind']} {name}"


def image_name(container: Mapping[str, Any]) -> str:
    """The image's name, without registry and version."""
    return str(container["image"]).rpartition("/")[2].partition("@")[0].partition(":")[0]


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """A label selector; an empty one matches everything. Of operators In and Exists are known."""
    listed = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return listed and all(_holds(one, labels) for one in selector.get("matchExpressions", ()))


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    found = labels.get(expression["key"])
    return found in expression["values"] if expression["operator"] == "In" else found is not None


def _data(one: Object) -> Iterator[str]:
    yield from one.get("data") or {}
    yield from one.get("stringData") or {}
