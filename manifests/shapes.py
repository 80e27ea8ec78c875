"""What custom resources may contain, written by hand: their schemas come with the operators that read them.

A shape is a type, a tuple of the values that are possible, a list with the shape of its items, or a mapping of names to
shapes. `!` at the end of a name: it must be there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_NAMED = {"name!": str}
_HTTP = {"pathExact": str, "pathPrefix": str, "methods": [str]}
_SECRET = {"name!": str, "namespace": str}

SHAPES: Mapping[tuple[str, str], Any] = {
    ("consul.hashicorp.com/v1alpha1", "ServiceDefaults"): {
        "protocol!": ("http", "http2", "grpc", "tcp"),
        "localRequestTimeoutMs": int,
        "localConnectTimeoutMs": int,
    },
    ("consul.hashicorp.com/v1alpha1", "ServiceRouter"): {
        "routes!": [
            {
                "match": {"http": _HTTP},
                "destination!": {"service!": str, "requestTimeout": str, "idleTimeout": str, "serviceSubset": str},
            }
        ]
    },
    ("consul.hashicorp.com/v1alpha1", "ServiceResolver"): {
        "connectTimeout": str,
        "requestTimeout": str,
        "loadBalancer": {
            "policy!": ("random", "round_robin", "least_request", "ring_hash", "maglev"),
            "leastRequestConfig": {"choiceCount": int},
        },
    },
    ("consul.hashicorp.com/v1alpha1", "ServiceIntentions"): {
        "destination!": _NAMED,
        "sources!": [
            {
                "name!": str,
                "action": ("allow", "deny"),
                "permissions": [{"action!": ("allow", "deny"), "http!": _HTTP}],
            }
        ],
    },
    ("keda.sh/v1alpha1", "ScaledObject"): {
        "scaleTargetRef!": {"name!": str, "kind": str, "apiVersion": str},
        "minReplicaCount!": int,
        "maxReplicaCount!": int,
        "triggers!": [
            {
                "type!": ("cpu", "prometheus", "rabbitmq"),
                "metricType": ("Utilization", "AverageValue", "Value"),
                "metadata!": {
                    "value": str,
                    "queueName": str,
                    "mode": ("QueueLength", "MessageRate"),
                    "serverAddress": str,
                    "query": str,
                    "threshold": str,
                },
                "authenticationRef": _NAMED,
            }
        ],
    },
    ("keda.sh/v1alpha1", "TriggerAuthentication"): {
        "secretTargetRef!": [{"parameter!": str, "name!": str, "key!": str}]
    },
    ("external-secrets.io/v1", "ExternalSecret"): {
        "secretStoreRef!": {"kind!": ("ClusterSecretStore", "SecretStore"), "name!": str},
        "refreshInterval": str,
        "target!": _NAMED,
        "data!": [{"secretKey!": str, "remoteRef!": {"key!": str, "property": str}}],
    },
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {
        "parentRefs!": [_SECRET],
        "hostnames": [str],
        "rules!": [
            {
                "matches": [{"path": {"type!": ("PathPrefix", "Exact"), "value!": str}}],
                "backendRefs!": [{"name!": str, "port!": int}],
                "timeouts": {"request": str, "backendRequest": str},
            }
        ],
    },
}
"""Of `spec`, by apiVersion and kind."""


def faults(one: Mapping[str, Any]) -> Iterator[str]:
    """What of the object differs from its shape."""
    for name in sorted(one.keys() - {"apiVersion", "kind", "metadata", "spec"}):
        yield f"{name}: is not known"
    yield from _differences("spec", one.get("spec", {}), SHAPES[one["apiVersion"], one["kind"]])


def _differences(path: str, value: Any, shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        yield from _of_mapping(path, value, shape)
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{path}: wanted is a list of at least one"
            return
        for index, item in enumerate(value):
            yield from _differences(f"{path}.{index}", item, shape[0])
    elif isinstance(shape, tuple):
        if value not in shape:
            yield f"{path}: {value!r} is not one of {', '.join(shape)}"
    elif type(value) is not shape:
        yield f"{path}: wanted is {shape.__name__}, not {value!r}"


def _of_mapping(path: str, value: Any, shape: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: wanted are fields, not {value!r}"
        return
    known = {name.rstrip("!"): (name[-1] == "!", inner) for name, inner in shape.items()}
    yield from (f"{path}.{name}: is not known" for name in sorted(value.keys() - known.keys()))
    for name, (needed, inner) in known.items():
        if name in value:
            yield from _differences(f"{path}.{name}", value[name], inner)
        elif needed:
            yield f"{path}.{name}: is missing"
