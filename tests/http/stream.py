"""A socket with a deadline on every operation and a buffer to read messages from."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable

DEADLINE_S = 30.0


class Closed(AssertionError):
    """The peer closed or reset the connection where more was wanted; `seen` is what came instead."""

    def __init__(self, wanted: str, seen: bytes) -> None:
        super().__init__(f"connection closed; wanted {wanted}, seen {seen[:2000]!r}")
        self.seen = seen


class Stream:
    """One end of a connection, byte by byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(DEADLINE_S)
        self.buffer = b""
        self.was_reset = False

    def send(self, data: bytes) -> None:
        """Writes all of it."""
        self.socket.sendall(data)

    def send_if_open(self, data: bytes) -> None:
        """Writes what the peer still takes: for what may rightly be refused before it is read."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def fill(self, size: int = 65536) -> bool:
        """Waits for more bytes; False at the end of the stream (closed or reset)."""
        try:
            data = self.socket.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset, data = True, b""
        self.buffer += data
        return bool(data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes of the buffer."""
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def until(self, end: bytes) -> bytes:
        """Everything up to and including `end`."""
        while end not in self.buffer:
            if not self.fill():
                raise Closed(repr(end), self.take(len(self.buffer)))
        return self.take(self.buffer.index(end) + len(end))

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        while len(self.buffer) < size:
            if not self.fill():
                raise Closed(f"{size} bytes", self.take(len(self.buffer)))
        return self.take(size)

    def rest(self) -> bytes:
        """Everything until the peer closes."""
        while self.fill():
            pass
        return self.take(len(self.buffer))

    def ends(self, within_s: float = DEADLINE_S) -> bool:
        """Whether the peer closes or resets within the time, without having sent anything more."""
        self.socket.settimeout(within_s)
        try:
            return not self.buffer and not self.fill()
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(DEADLINE_S)

    def stays_silent(self, for_s: float) -> bool:
        """Whether nothing arrives, and the connection stays open, for the time."""
        self.socket.settimeout(for_s)
        try:
            return not self.buffer and not self.fill() and False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_S)

    def pour(self, piece: bytes, most: int, pause_s: float = 0.4) -> int:
        """Sends pieces until the other end takes no more for so long, or has taken `most`; the bytes it took."""
        self.socket.settimeout(pause_s)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                sent += self.socket.send(piece)
        self.socket.settimeout(DEADLINE_S)
        return sent

    def finish(self) -> None:
        """Half-closes: nothing more will be sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes; where unread bytes are left the kernel makes it a reset."""
        with contextlib.suppress(OSError):
            self.socket.close()

    def reset(self) -> None:
        """Closes with a TCP reset."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def eventually(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> bool:
    """Whether the condition comes true within the time; for states that only the other process knows."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
