"""The sockets on which clients and operators are served."""

import socket
from typing import Final

BACKLOG: Final = 4096


def listen(host: str, port: int) -> socket.socket:
    """Listens at once: until then another process may bind the same port, and the loser would hear of it too late.

    Raises OSError that says which port could not be had, and what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _listening(socket.socket(family, kind, protocol), address)
    except OSError as exc:
        raise OSError(
            f"cannot listen on {host}:{port} ({exc.strerror}); choose another port, or 0 for any free port"
        ) from exc


def _listening(made: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not against who listens: against who did
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
