"""Backups and disasters of docs/kubernetes.md: what Consul holds comes back from a snapshot."""

import pytest

from tests.cluster.system import System

pytestmark = pytest.mark.cluster

SNAPSHOT = "/tmp/consul.snap"


def test_a_snapshot_brings_back_where_groups_stand_when_the_store_and_all_gateways_are_lost(system: System) -> None:
    system.extract("teams")
    before = system.states()
    consul(system, "snapshot", "save", SNAPSHOT)
    kept = system.run("exec", "deployment/consul", "--", "base64", SNAPSHOT)
    system.scale("statefulset/gateway", 0)
    system.scale("deployment/consul", 0)
    system.scale("deployment/consul", 1)
    system.run("exec", "--stdin", "deployment/consul", "--", "sh", "-c", f"base64 -d >{SNAPSHOT}", stdin=kept)
    consul(system, "snapshot", "restore", SNAPSHOT)
    system.scale("statefulset/gateway", 2)
    assert [system.states(0), system.states(1)] == [before, before]
    system.strangler("rollback", "teams")
    system.strangler("release", "teams")


def consul(system: System, *words: str) -> None:
    system.run("exec", "deployment/consul", "--", "consul", *words)
