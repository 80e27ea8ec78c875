"""A Consul of a test's own: on free ports, stopped, suspended, killed and wiped without touching the shared one."""

from pathlib import Path

import httpx
import pytest

from parts.process import is_open
from parts.servers import consul

pytestmark = pytest.mark.connected


def put(server: consul.ConsulServer, value: str) -> None:
    httpx.put(f"{server.url}/v1/kv/kept", content=value, timeout=10).raise_for_status()


def kept(server: consul.ConsulServer) -> str | None:
    answer = httpx.get(f"{server.url}/v1/kv/kept?raw", timeout=10)
    return answer.text if answer.status_code == httpx.codes.OK else None


def test_an_own_server_keeps_its_keys_over_a_kill_and_forgets_them_when_wiped(tmp_path: Path) -> None:
    with consul.own(tmp_path) as server:
        put(server, "before")
        backup = server.snapshot()
        server.kill()
        assert not is_open(server.ports.http)
        server.start()
        assert kept(server) == "before"
        server.wipe()
        assert kept(server) is None
        put(server, "after")
        server.restore(backup)
        assert kept(server) == "before"
    assert not is_open(server.ports.http)


def test_a_suspended_server_answers_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    with consul.own(tmp_path) as server:
        server.suspend()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{server.url}/v1/status/leader", timeout=0.3)
        server.resume()
        httpx.get(f"{server.url}/v1/status/leader", timeout=10).raise_for_status()
        server.suspend()  # own() ends it all the same


def test_an_own_server_takes_settings_of_acls(tmp_path: Path) -> None:
    acls = {"acl_datacenter": "dc1", "acl_master_token": "root-token", "acl_default_policy": "deny"}
    with consul.own(tmp_path, acls, token="root-token") as server:
        key = f"{server.url}/v1/kv/x"
        assert httpx.put(key, timeout=10).status_code == httpx.codes.FORBIDDEN
        httpx.put(key, headers={"X-Consul-Token": "root-token"}, timeout=10).raise_for_status()
