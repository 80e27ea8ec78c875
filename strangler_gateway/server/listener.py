"""The sockets on which clients and operators are served."""

import socket
from collections.abc import Sequence
from typing import Final, NamedTuple

from chassis.error_reason import reason

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
            f"cannot listen on {host}:{port} ({reason(exc)}); choose another port, or 0 for any free port"
        ) from exc


def listen_together(host: str, port: int, number: int) -> list[socket.socket]:
    """So many sockets on one port, among which the system spreads connections (SO_REUSEPORT).

    The port is taken alone first: any other gateway of the same user could share it unseen. Raises OSError as `listen`.
    """
    with listen(host, port) as alone:
        place = _Bound(alone.family, alone.type, alone.proto, alone.getsockname())
    return _more(place, number)


def join(known: Sequence[socket.socket], number: int) -> list[socket.socket]:
    """These sockets of `listen_together`, and more where there are fewer than `number`. Raises OSError."""
    one = known[0]
    place = _Bound(one.family, one.type, one.proto, one.getsockname())
    return [*known, *_more(place, number - len(known))]


class _Bound(NamedTuple):
    family: int
    kind: int
    protocol: int
    address: tuple[object, ...]


def _more(place: _Bound, number: int) -> list[socket.socket]:
    made: list[socket.socket] = []
    try:
        for _ in range(number):
            made.append(_listening(socket.socket(*place[:3]), place.address, together=True))
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def _listening(made: socket.socket, address: tuple[object, ...], *, together: bool = False) -> socket.socket:
    try:
        if together:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not against who listens: against who did
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
