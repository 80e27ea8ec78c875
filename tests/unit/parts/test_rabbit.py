"""A broker of a test's own: on free ports, stopped and killed without touching the shared one."""

import json
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from parts import rabbit
from parts.process import is_open

pytestmark = pytest.mark.connected
GUEST = {"Authorization": f"Basic {b64encode(b'guest:guest').decode()}", "Content-Type": "application/json"}


def asked(server: rabbit.RabbitServer, method: str, path: str) -> object:
    url = f"http://127.0.0.1:{server.ports.management}/api/{path}"
    with urlopen(Request(url, method=method, headers=GUEST), timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def test_an_own_broker_keeps_what_it_has_over_kill_and_stop_and_leaves_nothing_running(tmp_path: Path) -> None:
    with rabbit.own(tmp_path) as server:
        assert server.ports.amqp != rabbit.PORT
        asked(server, "PUT", "vhosts/kept")
        server.kill()
        assert not is_open(server.ports.amqp)
        server.start()
        assert asked(server, "GET", "vhosts/kept")
    assert not any(is_open(port) for port in (server.ports.amqp, server.ports.management, server.ports.epmd))
    assert is_open(rabbit.PORT)
