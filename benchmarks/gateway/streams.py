"""The second load, and the proxy's memory: big bodies both ways, and slow readers."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.common.load import Fields
from benchmarks.common.processes import rss_mib

MIB = 1 << 20
_BLOCK = bytes(256 * 1024)
_TIMEOUT_S = 120.0


def download(port: int, target: str, fields: Fields) -> tuple[float, int]:
    """Seconds and bytes of one GET on a new connection. Raises OSError, HTTPException, RuntimeError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    into = memoryview(bytearray(MIB))
    began = time.perf_counter()
    try:
        connection.request("GET", target, headers=dict(fields))
        response = connection.getresponse()
        _expect_success(response, target)
        received = 0
        while count := response.readinto(into):
            received += count
    finally:
        connection.close()
    return time.perf_counter() - began, received


def upload(port: int, target: str, fields: Fields, size: int) -> int:
    """The number of bytes that the upstream received."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        headers = {**dict(fields), "Content-Length": str(size)}
        connection.request("POST", target, body=_blocks(size), headers=headers)
        response = connection.getresponse()
        _expect_success(response, target)
        return int(response.read())
    finally:
        connection.close()


def _blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _BLOCK[:size]
        size -= len(_BLOCK)


def _expect_success(response: http.client.HTTPResponse, target: str) -> None:
    if response.status != 200:
        raise RuntimeError(f"{target} was answered with {response.status}: {response.read(300)!r}")


def both_ways(port: int, down: str, up: str, fields: Fields, size: int) -> None:
    """Downloads and uploads `size` bytes at the same time. Raises RuntimeError if a byte is missing."""
    uploaded: list[int] = []
    uploading = threading.Thread(target=lambda: uploaded.append(upload(port, up, fields, size)), daemon=True)
    uploading.start()
    _, downloaded = download(port, down, fields)
    uploading.join()
    if uploaded != [size] or downloaded != size:
        raise RuntimeError(f"of {size} bytes, {downloaded} came down and {uploaded} went up")


def read_slowly(port: int, target: str, fields: Fields, readers: int, seconds: float) -> int:
    """`readers` connections request `target` and read 8 KiB ten times a second. Returns the bytes received."""
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}\r\n".encode()
    received = 0
    with ExitStack() as closing:
        connections = [closing.enter_context(_connect_with_small_buffer(port)) for _ in range(readers)]
        for connection in connections:
            connection.sendall(request)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.1)
            received += sum(_read_what_is_there(connection) for connection in connections)
    return received


def _connect_with_small_buffer(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    connection.settimeout(5.0)
    connection.connect(("127.0.0.1", port))
    return connection


def _read_what_is_there(connection: socket.socket) -> int:
    with suppress(BlockingIOError):
        return len(connection.recv(8192, socket.MSG_DONTWAIT))
    return 0


@contextmanager
def peak_rss(pid: int) -> Iterator[Callable[[], float | None]]:
    """Samples resident memory fifty times a second; the yielded function returns the peak in MiB."""
    seen = [rss_mib(pid)]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            seen.append(rss_mib(pid))

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield lambda: max((value for value in seen if value is not None), default=None)
    finally:
        done.set()
        sampling.join()
