"""CoreDNS on a node: found by the Service, and by the policies that allow names."""

import json
from typing import Any

import yaml

from cluster import dns
from cluster.network import DNS
from images.engine import ROOT


def objects() -> dict[str, Any]:
    return {one["kind"]: one for one in json.loads(dns.objects())["items"]}


def test_kubelets_address_of_names_leads_to_its_pod() -> None:
    service, pod = objects()["Service"]["spec"], objects()["Deployment"]["spec"]["template"]
    assert service["clusterIP"] == DNS
    assert service["selector"].items() <= pod["metadata"]["labels"].items()


def test_the_policies_of_k8s_allow_names_of_these_pods() -> None:
    deny = ROOT / "k8s/base/network/deny.yaml"
    [names] = [one for one in yaml.safe_load_all(deny.read_text()) if one["metadata"]["name"] == "names"]
    [peer] = names["spec"]["egress"][0]["to"]
    assert peer["podSelector"]["matchLabels"] == objects()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert {port["port"] for port in names["spec"]["egress"][0]["ports"]} == {dns.PORT}


def test_it_reads_names_and_nothing_else() -> None:
    verbs = {verb for rule in objects()["ClusterRole"]["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
