"""`make migration` on a cluster: every group moves to its service, the books are audited, the monolith is ended.

The first one of these tests, because it begins where nothing has moved.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from images.engine import ROOT
from tests.cluster.reached import forwarded, mails_in
from tests.cluster.system import NAMESPACE, System

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("hanging")]  # which takes a minute, and is asked for later

SERVICES = {"account": 8103, "shop": 8102, "learning": 8106, "mailer": 8104}
WITHIN_S = 600
GROUPS = {"items", "purchases", "points", "sign-in", "users", "teams", "learning", "platform"}


def test_every_group_moves_with_users_at_work_and_the_monolith_is_ended(migrated: System) -> None:
    for gateway in (0, 1):
        states = migrated.states(gateway)
        assert {group for group, state in states.items() if state == "extracted"} >= GROUPS
    assert migrated.pods("monolith") == []


@pytest.fixture
def migrated(system: System, tmp_path: Path) -> Iterator[System]:
    """At the end as it was before, but for the users who have signed up."""
    with ExitStack() as stack:
        stack.enter_context(mails_in(system, tmp_path / "mails"))
        (tmp_path / "operator-token").write_text(system.operator_token)
        words = _where(system, stack, tmp_path)
        command = [*system.kubectl.prefix, sys.executable, "-m", "examples.migration", *words]
        subprocess.run(command, cwd=ROOT, timeout=WITHIN_S, check=True)
    yield system
    system.scale("deployment/monolith", 1)
    for group in GROUPS:
        system.strangler("rollback", group)
        system.strangler("release", group)


def _where(system: System, stack: ExitStack, folder: Path) -> list[str]:
    first, admin = stack.enter_context(forwarded(system, "pod/gateway-0", 8080, 8081))
    [second] = stack.enter_context(forwarded(system, "pod/gateway-1", 8080))
    words = [f"--gateway={first}", f"--gateway={second}", f"--admin={admin}", f"--folder={folder}"]
    for name, port in SERVICES.items():
        [url] = stack.enter_context(forwarded(system, f"service/{name}", port))
        words.append(f"--service={name}={url}")
    kubectl = shlex.join([str(system.kubectl.program), f"--namespace={NAMESPACE}"])
    ends = "scale deployment/monolith --replicas=0"
    gone = "wait --for=delete pod --selector=app.kubernetes.io/name=monolith --timeout=300s"
    return [*words, f"--end-monolith=sh -c '{kubectl} {ends} && {kubectl} {gone}'"]
