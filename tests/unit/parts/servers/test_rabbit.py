"""A broker of a test's own: on free ports, stopped and killed without touching the shared one."""

from pathlib import Path

import httpx
import pytest

from parts.process import is_open
from parts.servers import rabbit

pytestmark = pytest.mark.connected


def test_an_own_broker_keeps_what_it_has_over_kill_and_stop_and_leaves_nothing_running(tmp_path: Path) -> None:
    with rabbit.own(tmp_path) as server:
        assert server.ports.amqp != rabbit.PORT
        vhost = f"{server.management_url}/api/vhosts/kept"
        httpx.put(vhost, timeout=10).raise_for_status()
        server.kill()
        assert not is_open(server.ports.amqp)
        server.start()
        httpx.get(vhost, timeout=10).raise_for_status()
    assert not any(is_open(port) for port in (server.ports.amqp, server.ports.management, server.ports.epmd))
    assert is_open(rabbit.PORT)
