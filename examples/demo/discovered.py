"""The launcher's services in a Consul: a registrar beside them, and a routes file that finds them there."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo.environment import inherited
from examples.demo.processes import Launcher

_URL = re.compile(r'^(\s+)url: "\$\{(\w+)_URL:-[^}]*\}"$', re.MULTILINE)
LOOKS_S, CHECKS_S = "0.5", "1"


@dataclass(frozen=True, slots=True)
class InConsul:
    """`url`: of the agent. `instances`: the launcher's list. What this launcher registers has a tag of its own."""

    url: str
    instances: Path

    @property
    def name(self) -> str:
        """Of the registrar."""
        return f"run-{os.getpid()}"

    @property
    def gateway_environ(self) -> Mapping[str, str]:
        """What the gateway needs to know."""
        return {"STRANGLER_CONSUL_URL": self.url}

    def routes(self, text: str) -> str:
        """The routes file, with `discover:` in place of the services' URLs."""
        tag = f"registrar={self.name}"
        found, number = _URL.subn(lambda one: f'{one[1]}discover: "consul://{one[2].lower()}?tag={tag}"', text)
        assert number, "no service has a URL in a line of its own"
        return found

    async def register(self, launcher: Launcher) -> None:
        """Starts the registrar, which takes everything out again at its end."""
        command = [sys.executable, "-m", "chassis.registrar", "--list", str(self.instances), "--name", self.name]
        command += ["--interval", LOOKS_S, "--check-interval", CHECKS_S, "--deregister-on-exit"]
        await launcher.launch("registrar", command, inherited() | {"REGISTRAR_CONSUL_URL": self.url})
