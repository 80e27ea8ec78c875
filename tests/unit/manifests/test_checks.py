"""`python -m manifests`: the overlays have no fault, and each fault that somebody could make is found."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from manifests import render
from manifests.__main__ import main
from manifests.checks import findings
from manifests.objects import Manifests

GATEWAY = "StatefulSet polycode/gateway"
SHOP = "Deployment polycode/shop"
POD = "spec.template.spec"
APP = f"{POD}.containers.0"
DELETE = object()


@pytest.fixture(scope="module")
def overlays() -> Mapping[str, Manifests]:
    return {name: render.overlay(name) for name in render.OVERLAYS}


def test_every_overlay_and_every_choice_beside_it_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(render.OVERLAYS) + len(render.VARIANTS)
    assert all(line.endswith(" objects, 0 faults") for line in lines)


BROKEN = [
    # schemas
    (SHOP, f"{POD}.containers.0.comand", ["x"], "'comand' was unexpected"),
    (SHOP, "spec.minReadySeconds", "soon", "'soon' is not of type"),
    (SHOP, "apiVersion", "apps/v1beta1", "nothing is known of apps/v1beta1 Deployment"),
    ("ScaledObject polycode/mailer", "spec.triggers.0.typ", "x", "spec.triggers.0.typ: is not known"),
    ("ScaledObject polycode/mailer", "spec.triggers.0.type", DELETE, "spec.triggers.0.type: is missing"),
    ("ScaledObject polycode/mailer", "spec.maxReplicaCount", "6", "wanted is int, not '6'"),
    ("ServiceDefaults polycode/shop", "spec.protocol", "htttp", "'htttp' is not one of http"),
    ("HTTPRoute polycode/polycode", "spec.rules", [], "wanted is a list of at least one"),
    # what selects and what is named
    ("Service polycode/shop", "spec.selector", {"app": "shop"}, "matches no pod"),
    ("PodDisruptionBudget polycode/shop", "spec.selector.matchLabels", {"app": "x"}, "exactly one workload"),
    (SHOP, "spec.selector.matchLabels", {"app": "x"}, "does not match its own pods"),
    ("ScaledObject polycode/shop", "spec.scaleTargetRef.name", "shopp", "there is no Deployment shopp"),
    ("HorizontalPodAutoscaler polycode/gateway", "spec.scaleTargetRef.kind", "Deployment", "no Deployment gateway"),
    (GATEWAY, "spec.serviceName", "gatewais", "there is no Service gatewais"),
    ("RoleBinding polycode/operators", "roleRef.name", "operatr", "there is no Role operatr"),
    (SHOP, "metadata.namespace", "elsewhere", "there is no Namespace elsewhere"),
    # ports and addresses
    ("Service polycode/shop", "spec.ports.0.targetPort", 8202, "has no port 8202"),
    (SHOP, f"{APP}.readinessProbe.httpGet.port", "htp", "a probe asks port htp"),
    ("HTTPRoute polycode/polycode", "spec.rules.0.backendRefs.0.port", 8080, "no Service gateway with a port 8080"),
    (SHOP, f"{APP}.ports.0.containerPort", 8112, "its ports are [8112], those of polycode-shop [8102]"),
    ("ConfigMap polycode/addresses", "data.JWKS_URL", "http://gateway:8081/x", "nobody serves gateway:8081"),
    ("ConfigMap polycode/addresses", "data.SHOP_URL", "http://127.0.0.1:8112", "nobody serves 127.0.0.1:8112"),
    # network policies
    ("NetworkPolicy polycode/deny", "spec.policyTypes", ["Ingress"], "denies Ingress and Egress by default"),
    ("NetworkPolicy polycode/shop", "spec.podSelector.matchLabels", {"app": "x"}, "its podSelector matches no pod"),
    ("NetworkPolicy polycode/shop", "spec.ingress.0.ports.0.port", 8101, "none of its pods has the port 8101"),
    ("NetworkPolicy polycode/shop", "spec.ingress.0.from.0.podSelector", {"matchLabels": {"app": "x"}}, "is nobody"),
    ("NetworkPolicy polycode/from-account", "spec.egress.0.ports.0.port", 8101, "has no port 8101"),
    ("NetworkPolicy polycode/to-broker", "spec.egress.0.to", DELETE, "egress without `to` leads everywhere"),
    # ConfigMaps, Secrets, accounts, volumes
    (SHOP, f"{APP}.env.0.valueFrom.configMapKeyRef.key", "JWKS", "with a key JWKS"),
    (GATEWAY, f"{APP}.envFrom.0.configMapRef.name", "gatewy", "there is no ConfigMap gatewy"),
    (SHOP, f"{POD}.serviceAccountName", "shopp", "there is no ServiceAccount shopp"),
    (GATEWAY, f"{POD}.priorityClassName", "highest", "there is no PriorityClass highest"),
    (SHOP, f"{POD}.volumes.1.secret.secretName", "shopp", "there is no Secret shopp"),
    (GATEWAY, f"{APP}.volumeMounts.2.name", "route", "the volume route is mounted and not there"),
    (
        "ExternalSecret polycode/shop",
        "spec.data.1.secretKey",
        "db",
        "no volume has the file /run/secrets/polycode/data",
    ),
    ("TriggerAuthentication polycode/broker", "spec.secretTargetRef.0.key", "url", "with a key url"),
    ("ExternalSecret polycode/shop", "spec.data.1.secretKey", "db", "its ExternalSecret differ in database-url, db"),
    ("ExternalSecret polycode/shop", "spec.target.name", "shopp", "Secret polycode/shopp: deploy/cluster-secrets.sh"),
    ("ExternalSecret polycode/shop", "spec.data.1.remoteRef.key", "polycode/db", "is polycode/db in the store"),
    # rights and bounds
    ("Namespace polycode-runner", "metadata.labels", {}, "is not `restricted`"),
    (SHOP, f"{POD}.hostNetwork", True, "hostNetwork is set"),
    (SHOP, f"{POD}.volumes.0", {"name": "tmp", "hostPath": {"path": "/x"}}, "the volume tmp is a hostPath"),
    (SHOP, f"{POD}.securityContext.runAsNonRoot", DELETE, "runAsNonRoot and a runAsUser are missing"),
    (SHOP, f"{POD}.securityContext.seccompProfile", DELETE, "seccompProfile is not RuntimeDefault"),
    (SHOP, f"{POD}.initContainers.0.securityContext.capabilities", DELETE, "tables: capabilities are not"),
    (SHOP, f"{APP}.securityContext.allowPrivilegeEscalation", DELETE, "allowPrivilegeEscalation is not false"),
    (SHOP, f"{APP}.securityContext.readOnlyRootFilesystem", False, "readOnlyRootFilesystem is not true"),
    ("Job polycode/realm", f"{POD}.automountServiceAccountToken", DELETE, "automountServiceAccountToken is not false"),
    (SHOP, f"{APP}.resources.limits", DELETE, "requests or the limit of memory are missing"),
    (SHOP, f"{POD}.volumes.0.emptyDir.sizeLimit", DELETE, "the volume tmp is in memory and has no sizeLimit"),
    # what serves
    (SHOP, f"{APP}.startupProbe", DELETE, "startupProbe does not ask /health/live"),
    (SHOP, f"{APP}.readinessProbe.httpGet.path", "/health", "readinessProbe does not ask /health/ready"),
    (SHOP, f"{POD}.topologySpreadConstraints", DELETE, "not spread over nodes and zones"),
    ("PodDisruptionBudget polycode/shop", "metadata.namespace", "polycode-runner", "exactly one PodDisruptionBudget"),
    ("ScaledObject polycode/shop", "spec.minReplicaCount", 1, "one pod is too few"),
    (SHOP, "spec.strategy.rollingUpdate.maxUnavailable", 1, "maxUnavailable is not 0"),
    (GATEWAY, f"{APP}.lifecycle", DELETE, "preStop does not sleep 5 s"),
    (GATEWAY, f"{POD}.terminationGracePeriodSeconds", 29, "is 29: preStop and drain need 35"),
    (SHOP, f"{APP}.env.0", {"name": "SHOP_GRACE_S", "value": "90"}, "is 40: preStop and drain need 100"),
    # the code
    (SHOP, f"{APP}.image", "registry.polycode.example/polycode-shopp:0.1.0", "nobody builds the image"),
    (SHOP, f"{APP}.image", "polycode-shop", "the image polycode-shop has no version"),
    (SHOP, f"{APP}.env.0.name", "SHOP_JWKS", "polycode-shop knows no variable SHOP_JWKS"),
    (SHOP, f"{APP}.env.0.name", "SHOP_LOG_LEVEL", "SHOP_JWKS_URL is required"),
    (SHOP, f"{APP}.env.0.name", "SHOP_BROKER_URL", "SHOP_BROKER_URL and SHOP_BROKER_URL_FILE are both set"),
    ("ConfigMap polycode/routes", "data", {"routes.yaml": "version: 1"}, "cp routes.yaml k8s/base/system/routes.yaml"),
    # sidecars
    ("ServiceIntentions polycode/shop", "spec.sources.1.name", "mailer", "account has it as an upstream, and may not"),
    ("ServiceIntentions polycode/shop", "spec.sources.1.name", "mailer", "mailer may call it, and does not have it"),
    ("ServiceDefaults polycode/shop", "metadata.name", "shopp", "there are no ServiceDefaults of shop"),
    (SHOP, f"{POD}.serviceAccountName", "account", "Consul knows it as shop: its ServiceAccount has to have that name"),
    ("Service polycode/gateways", "metadata.labels", {}, "register it for 2 Services"),
]


@pytest.mark.parametrize(("name", "path", "value", "message"), BROKEN)
def test_a_fault_is_found(overlays: Mapping[str, Manifests], name: str, path: str, value: object, message: str) -> None:
    sound = overlays["production"]
    broken = [copy.deepcopy(one) if _named(one) == name else one for one in sound.objects]
    [changed] = [one for one in broken if _named(one) == name]
    _put(changed, path.split("."), value)
    found = findings(Manifests(broken, sound.given))
    assert [str(one) for one in found if message in str(one)], [str(one) for one in found]


def test_two_objects_of_one_name_are_found(overlays: Mapping[str, Manifests]) -> None:
    sound = overlays["development"]
    found = findings(Manifests([*sound.objects, sound.objects[-1]], sound.given))
    assert any("is there 2 times" in str(one) for one in found)


def test_a_secret_that_nobody_makes_is_found(overlays: Mapping[str, Manifests]) -> None:
    sound = overlays["development"]
    given = {name: keys for name, keys in sound.given.items() if name != ("polycode", "rabbitmq")}
    found = [str(one) for one in findings(Manifests(sound.objects, given))]
    assert found == [
        "Deployment polycode/rabbitmq: RABBITMQ_DEFAULT_PASS: there is no Secret rabbitmq with a key rabbitmq-password"
    ]


def _named(one: Mapping[str, Any]) -> str:
    """Without the hash that kustomize puts behind the name of a ConfigMap."""
    space, name = one["metadata"].get("namespace"), one["metadata"]["name"]
    name = name.rpartition("-")[0] if one["kind"] == "ConfigMap" and name.count("-") and name != "routes" else name
    return f"{one['kind']} {space}/{name}" if space else f"{one['kind']} {name}"


def _put(one: Any, path: list[str], value: object) -> None:
    """Sets or deletes what a path of keys and positions leads to."""
    *parents, last = path
    for key in parents:
        one = one[int(key) if isinstance(one, list) else key]
    place: Any = int(last) if isinstance(one, list) else last
    if value is DELETE:
        del one[place]
    else:
        one[place] = value
