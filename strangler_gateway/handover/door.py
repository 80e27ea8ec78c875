"""The Unix socket in the state directory on which a running gateway is asked to hand over; who owns the directory may.

The first thing that passes is the listening sockets (SCM_RIGHTS), the public ones and then the admin port's.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "handover.sock"
MAX_SOCKETS: Final = 65
VERSION: Final = 1
_MAX_HEADER = 1000
_ANSWER_S = 5.0
_SHORT = 90
"""Bytes of a path that every system takes for a Unix socket."""


class HandoverRefused(OSError):
    """The gateway that runs goes on; the text says why, and what to do."""


def open_door(state: Path) -> socket.socket:
    """Listens; an older socket of that name belonged to a process that has ended. Raises OSError."""
    door = socket.socket(socket.AF_UNIX)
    try:
        with _address(state) as address:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)
            old_mask = os.umask(0o177)
            try:
                door.bind(address)
            finally:
                os.umask(old_mask)
        door.listen(1)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door


def knock(state: Path) -> socket.socket | None:
    """Connects to the gateway that runs on this state directory; None: there is none that hands over. Blocks."""
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(_ANSWER_S)
    try:
        with _address(state) as address:
            asking.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        asking.close()
        return None
    except OSError:
        asking.close()
        raise
    return asking


def pass_on(asking: socket.socket, public: list[socket.socket], admin: socket.socket) -> None:
    """Sends the sockets. Blocks for some seconds at most. Raises OSError."""
    asking.settimeout(_ANSWER_S)
    header = json.dumps({"version": VERSION, "public": len(public)}).encode()
    socket.send_fds(asking, [header.ljust(_MAX_HEADER)], [one.fileno() for one in (*public, admin)])


def receive(answering: socket.socket) -> tuple[list[socket.socket], socket.socket]:
    """The public sockets, and the admin port's. Blocks for some seconds at most. Raises OSError, HandoverRefused."""
    header, handles, _, _ = socket.recv_fds(answering, _MAX_HEADER, MAX_SOCKETS)
    found = [socket.socket(fileno=handle) for handle in handles]
    try:
        said = json.loads(header)
        if said["version"] != VERSION or not 0 < said["public"] < len(found):
            raise ValueError(said)
    except (ValueError, LookupError, TypeError):
        for one in found:
            one.close()
        raise HandoverRefused(
            "the gateway that runs hands over in another way than this version knows: stop it, then start this one"
        ) from None
    return found[: said["public"]], found[said["public"]]


@contextlib.contextmanager
def _address(state: Path) -> Iterator[str]:
    """A path that is short enough, whatever the directory's is (Linux)."""
    path = str(state / NAME)
    if len(os.fsencode(path)) <= _SHORT:
        yield path
        return
    handle = os.open(state, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
