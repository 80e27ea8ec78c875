"""All checks, in one list."""

from collections.abc import Callable, Iterator, Sequence

from manifests import code, links, mesh, network, pods, references, schemas, serving
from manifests.objects import Finding, Manifests

CHECKS: Sequence[Callable[[Manifests], Iterator[Finding]]] = (
    schemas.invalid,
    schemas.doubled,
    links.unmatched,
    links.without_target,
    links.without_port,
    network.nowhere,
    references.missing,
    references.without_file,
    references.told_otherwise,
    references.unknown_addresses,
    pods.unrestricted,
    pods.unbounded,
    serving.unready,
    serving.cut_short,
    code.unknown_images,
    code.unknown_variables,
    code.other_ports,
    code.copied_routes,
    mesh.uncalled,
)


def findings(manifests: Manifests) -> list[Finding]:
    """Every fault of one system, in the order of the checks, each once."""
    return list(dict.fromkeys(found for check in CHECKS for found in check(manifests)))
