"""deploy/*.service under a real systemd, with all that confines them: start, flip, reload, crash, stop, hand-over."""

from collections.abc import Iterator

import pytest

from images.engine import Engine
from tests.images.containers import eventually
from tests.images.systemd_container import Machine, decoded, machine

pytestmark = pytest.mark.images

ALONE = "strangler-gateway.service"
A, B = "strangler-gateway@a.service", "strangler-gateway@b.service"


@pytest.fixture(scope="module")
def host(engine: Engine) -> Iterator[Machine]:
    with machine(engine) as found:
        yield found


@pytest.fixture
def alone(host: Machine) -> Machine:
    """With the gateway running, which the test may leave so."""
    host.systemctl("start", ALONE)
    eventually(host.serves, "the gateway serves")
    return host


def test_the_unit_starts_a_confined_process(alone: Machine) -> None:
    pid, active = alone.shows(ALONE, "MainPID", "ActiveState")
    lines = alone.execute("cat", f"/proc/{pid}/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (active, int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"]) == ("active", 0, "1", "2")
    assert alone.execute("stat", "--format=%U %a", "/var/lib/strangler").strip() == "strangler 700"


def test_the_credential_opens_the_admin_port_and_a_flip_is_written_into_the_file(alone: Machine) -> None:
    alone.strangler("flip", "all", "--to", "shadow", "--why", "a test", "--force")
    assert "state: shadow" in alone.execute("cat", "/etc/strangler/routes.yaml")
    alone.strangler("rollback", "all")


def test_a_reload_reads_the_changed_file(alone: Machine) -> None:
    alone.execute("sed", "-i", "s/id: everything/id: renamed/", "/etc/strangler/routes.yaml")
    alone.systemctl("reload", ALONE)
    eventually(lambda: "renamed" in alone.strangler("routes"), "the new table")
    assert alone.shows(ALONE, "ActiveState", "NRestarts") == ["active", "0"]


def test_a_killed_gateway_comes_back(alone: Machine) -> None:
    alone.systemctl("kill", "--signal=SIGKILL", ALONE)
    eventually(lambda: alone.shows(ALONE, "NRestarts") == ["1"] and alone.serves(), "systemd starts it again")


def test_a_stop_ends_it_with_0(alone: Machine) -> None:
    alone.systemctl("stop", ALONE)
    assert alone.shows(ALONE, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
    assert '"level": "error"' not in alone.journal(ALONE)
    assert '"level": "info"' in alone.journal(ALONE)


def test_one_instance_takes_over_from_the_other_without_a_lost_request(host: Machine) -> None:
    host.systemctl("stop", ALONE)
    host.systemctl("start", A)
    eventually(host.serves, "the first instance serves")
    with host.under_load() as client:
        for new, old in ((B, A), (A, B)):
            host.systemctl("start", new)
            eventually(lambda old=old: host.shows(old, "ActiveState") == ["inactive"], "the old instance has ended")  # type: ignore[misc]
            assert host.shows(old, "Result", "ExecMainStatus", "NRestarts") == ["success", "0", "0"]
            host.more_answers()
    answered, failed = decoded(client)
    assert (answered > 60, failed) == (True, [])
    host.systemctl("stop", A)
    assert host.shows(A, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
