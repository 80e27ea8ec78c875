"""The sockets that a gateway listens on: its own, or those of the gateway that it takes over from."""

import socket

from chassis.settings import SettingsInvalid
from strangler_gateway.handover.predecessor import Predecessor
from strangler_gateway.server.listener import join, listen, listen_together
from strangler_gateway.settings import Settings


def public_listeners(settings: Settings, before: Predecessor | None) -> list[socket.socket]:
    """One for each worker. Raises SettingsInvalid, OSError."""
    if before is not None:
        _expect_port(before.public[0], settings.port, "--port")
        return join(before.public, settings.workers)
    if settings.workers == 1 and not settings.reuse_port:
        return [listen(settings.host, settings.port)]
    return listen_together(settings.host, settings.port, settings.workers)


def admin_listener(settings: Settings, before: Predecessor | None) -> socket.socket:
    """Raises SettingsInvalid, OSError."""
    if before is None:
        return listen(settings.admin_host, settings.admin_port)
    _expect_port(before.admin, settings.admin_port, "--admin-port")
    return before.admin


def _expect_port(known: socket.socket, port: int, option: str) -> None:
    """Raises SettingsInvalid."""
    served = known.getsockname()[1]
    if port not in (0, served):
        raise SettingsInvalid(
            f"the gateway that runs on this state directory serves port {served}, and {option} is {port}: stop it "
            "first, or keep the port"
        )
