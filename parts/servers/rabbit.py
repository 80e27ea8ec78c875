"""RabbitMQ, the broker between services. User guest, password guest; the data is disposable."""

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from parts import packages
from parts.place import PartFailed, Place
from parts.ports import free_ports
from parts.process import Daemon, run
from parts.servers.server import Server, SharedServer, running

NAME = "rabbit"
PORT = int(os.environ.get("RABBIT_PORT") or 16672)
MANAGEMENT_PORT = int(os.environ.get("RABBIT_MANAGEMENT_PORT") or PORT + 1)
URL = f"amqp://guest:guest@127.0.0.1:{PORT}/"
MANAGEMENT_URL = f"http://guest:guest@127.0.0.1:{MANAGEMENT_PORT}"
DEBIAN = Path("/usr/lib/rabbitmq/lib")  # the scripts on the PATH require the system's user and folders
START_TIMEOUT_S = 90
EPMD_TIMEOUT_S = 10
SETTLED_S = 2.0  # until a new queue is safely on the disk
DEAD_LETTER_RETRY_MS = 3000  # an unconfirmed dead letter waits three minutes by default
SETTINGS = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 100MB
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server; `epmd`: its own Erlang port mapper."""

    amqp: int
    management: int
    distribution: int
    epmd: int


class RabbitServer(Server):
    """One broker and its port mapper."""

    def __init__(self, place: Place, ports: Ports) -> None:
        super().__init__(place, NAME)
        self.ports = ports
        self.url = f"amqp://guest:guest@127.0.0.1:{ports.amqp}/"
        self.management_url = f"http://guest:guest@127.0.0.1:{ports.management}"
        self._mapper = Daemon(place, f"{NAME}-epmd")

    def start(self) -> None:
        """Takes some seconds. Raises PartFailed."""
        if self.process() is not None:
            return
        environ = self._environ()
        if self._mapper.process() is None:
            own = ("-address", "127.0.0.1", "-port", str(self.ports.epmd))
            self._mapper.start([_program("epmd"), *own], self.ports.epmd, EPMD_TIMEOUT_S)
        self._daemon.start([_program("rabbitmq-server")], self.ports.amqp, START_TIMEOUT_S, environ)

    def stop(self) -> None:
        """Gracefully, the port mapper too."""
        super().stop()
        self._mapper.stop()

    def kill(self) -> None:
        """SIGKILL, at once. RabbitMQ 3.10 may lose a quorum queue younger than SETTLED_S: it has no leader."""
        super().kill()

    def control(self, *words: str) -> str:
        """Runs `rabbitmqctl WORDS` and returns its output. Raises PartFailed."""
        return run([_program("rabbitmqctl"), *words], environ=self._environ() | {"HOME": str(self._folder)})

    def _environ(self) -> dict[str, str]:
        config, plugins = self._folder / "rabbitmq.conf", self._folder / "enabled_plugins"
        config.write_text(SETTINGS.format(amqp=self.ports.amqp, management=self.ports.management))
        plugins.write_text("[rabbitmq_management].\n")
        return {
            "RABBITMQ_NODENAME": f"{NAME}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            f"-rabbit dead_letter_worker_publisher_confirm_timeout {DEAD_LETTER_RETRY_MS}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the broker, so its pid is the broker's
        }


def own(folder: Path) -> AbstractContextManager[RabbitServer]:
    """A running server for a fault test, which may stop and kill it: on free ports, as the current user."""
    return running(RabbitServer(Place.own(folder), Ports(*free_ports(4))))


def install() -> None:
    """Installs the package unless its programs exist."""
    if _found("rabbitmq-server") is None or _found("epmd") is None:
        packages.install("rabbitmq-server", "RabbitMQ")


def build(_place: Place) -> None:
    """Nothing to do."""


def _shared(place: Place) -> RabbitServer:
    return RabbitServer(place, Ports(PORT, MANAGEMENT_PORT, PORT + 2, PORT + 3))


SHARED = SharedServer(_shared, PORT, "RABBIT_PORT")
start, stop, is_running = SHARED.start, SHARED.stop, SHARED.is_running


def _program(name: str) -> Path:
    found = _found(name)
    if found is None:
        raise PartFailed(f"{name} is missing: python -m parts install {NAME}")
    return found


def _found(name: str) -> Path | None:
    """Debian's own script, or the one on the PATH."""
    for script in sorted(DEBIAN.glob(f"rabbitmq_server-*/sbin/{name}")):
        return script
    found = shutil.which(name)
    return Path(found) if found else None
