"""Requests from a pod in the cluster, and what became of them."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parts.place import PartFailed
from tests.cluster.rendered import image
from tests.cluster.system import System, eventually

SCRIPT = Path(__file__).with_name("load.py").read_text()
ITEM = "11111111-1111-4111-8111-111111111111"
USERS = {
    "admin": {"identity": "admin", "secret": "admin"},
    "alice": {"identity": "alice@example.org", "secret": "alice-secret"},
}
MAIL = {"kind": "verify_account", "recipient": "ada@example.org", "variables": {"username": "ada", "token": "t-1"}}
PROGRAM = {"language": "PYTHON", "source": "print('hello')", "inputs": [{"stdin": []}]}
LATER = (429, 503)
"""A runner that has no place, or is about to end, has not begun the job; Learning asks again, too."""
GATEWAY = "http://gateway"


def _call(
    name: str, method: str, url: str, user: str, *statuses: int, body: object = None, later: Sequence[int] = ()
) -> Mapping[str, object]:
    told = {"statuses": statuses, "later": later, "json": body}
    return {"name": name, "method": method, "url": url, "as": user, **told}


CALLS = (
    _call("monolith", "GET", f"{GATEWAY}/health", "alice", 200),
    _call("shop: read", "GET", f"{GATEWAY}/item", "admin", 200),
    _call("shop: write", "PUT", f"{GATEWAY}/item/{ITEM}/quantity", "admin", 200, 204, body={"quantity": 1000}),
    _call("account: read", "GET", f"{GATEWAY}/user/@me", "alice", 200),
    _call("account: write", "PATCH", f"{GATEWAY}/user/@me/settings", "alice", 200, body={"preferredLanguage": "fr"}),
    _call("learning: read", "GET", f"{GATEWAY}/module", "alice", 200),
    _call("mailer: write", "POST", "http://mailer:8104/mails", "service", 202, body=MAIL),
    _call("runner: run", "POST", "http://runner.polycode-runner:8105/jobs", "service", 200, body=PROGRAM, later=LATER),
    _call(
        "account: log in",
        "POST",
        f"{GATEWAY}/auth/token",
        "alice",
        201,
        body=USERS["alice"] | {"grantType": "implicit"},
    ),
)
"""Through the gateway to every service, and to those that no route leads to."""


@dataclass(frozen=True)
class Totals:
    """Requests by name since the start."""

    sent: Mapping[str, int]
    lost: Mapping[str, int]
    examples: Sequence[str]


@dataclass(frozen=True)
class Load:
    """A pod that sends requests until it is deleted."""

    system: System
    pod: str

    def totals(self) -> Totals:
        """Waits where the pod's log cannot be read, such as while kubelet starts."""
        eventually(lambda: self._line() is not None, f"a line of {self.pod}")
        return Totals(**json.loads(self._line() or ""))

    def _line(self) -> str | None:
        """The last one; None if there is none yet, or none can be had."""
        try:
            return self.system.run("logs", self.pod, "--tail=1").strip() or None
        except PartFailed:
            return None

    def goes_on(self) -> None:
        """Waits until every call has been sent some times more."""
        before = self.totals().sent
        eventually(lambda: all(count > before[name] + 5 for name, count in self.totals().sent.items()), "more requests")

    @contextmanager
    def loses_nothing(self) -> Iterator[None]:
        before = self.totals()
        yield
        self.goes_on()
        after = self.totals()
        lost = {name: count - before.lost.get(name, 0) for name, count in after.lost.items()}
        sent = sum(after.sent.values()) - sum(before.sent.values())
        print(f"{sum(lost.values())} of {sent} requests lost")
        assert sum(lost.values()) == 0, f"of {sent} requests: {lost}; {after.examples}"


@contextmanager
def sending(system: System) -> Iterator[Load]:
    load = Load(system, f"load-{secrets.token_hex(3)}")
    system.kubectl.apply(json.dumps(_pod(load.pod)), "--namespace=polycode")
    try:
        eventually(lambda: len(load.totals().sent) == len(CALLS), "requests are sent")
        assert load.totals().lost == {}, load.totals()
        yield load
    finally:
        system.run("delete", "pod", load.pod, "--grace-period=0", "--force")


def _pod(name: str) -> Any:
    wanted = {
        "calls": CALLS,
        "users": USERS,
        "log_in": f"{GATEWAY}/auth/token",
        "token_file": "/run/secrets/shop/internal-token",
    }
    container = {
        "name": "load",
        "image": image("polycode-examples"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", SCRIPT, json.dumps(wanted)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "secrets", "mountPath": "/run/secrets/shop", "readOnly": True}],
    }
    safe = {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "load"}},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": safe,
            "containers": [container],
            "volumes": [{"name": "secrets", "secret": {"secretName": "shop"}}],
        },
    }
