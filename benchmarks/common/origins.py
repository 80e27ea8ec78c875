"""The upstreams: nginx with files if it is installed, and a small Python server for uploads (or instead of nginx)."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import peers
from benchmarks.common.migration import bytes_target
from benchmarks.common.origin import SMALL
from benchmarks.common.processes import BenchmarkProcess, find_program, start, wait_until_accepts
from parts.ports import free_port


@dataclass(frozen=True, slots=True)
class Origins:
    """`main` answers GETs, `sink` takes uploads; `kind` is nginx or python."""

    kind: str
    main_port: int
    sink_port: int


@contextmanager
def origins(folder: Path, core: int | None, sizes: tuple[int, ...]) -> Iterator[Origins]:
    """Runs both upstreams inside the block; `sizes`: the sizes requested by /bytes/SIZE."""
    with ExitStack() as closing:
        sink, sink_port = _python_origin(closing, folder, core)
        wait_until_accepts(sink, sink_port)
        program = find_program("nginx")
        if program is None:
            yield Origins("python", sink_port, sink_port)
            return
        main, main_port = _nginx_origin(closing, program, folder, core, sizes)
        wait_until_accepts(main, main_port)
        yield Origins("nginx", main_port, sink_port)


def _python_origin(closing: ExitStack, folder: Path, core: int | None) -> tuple[BenchmarkProcess, int]:
    port = free_port()
    return start(closing, "sink", [sys.executable, "-m", "benchmarks.common.origin", str(port)], folder, core), port


def _nginx_origin(
    closing: ExitStack, program: str, folder: Path, core: int | None, sizes: tuple[int, ...]
) -> tuple[BenchmarkProcess, int]:
    port, own = free_port(), folder / "nginx-origin"
    files = own / "files"
    _write_files(files, sizes)
    config = own / "nginx.conf"
    config.write_text(peers.nginx_origin(own, port, files))
    return start(closing, "origin", [program, "-e", str(own / "error.log"), "-c", str(config)], folder, core), port


def _write_files(files: Path, sizes: tuple[int, ...]) -> None:
    """Big files are sparse: they need no disk space and read as zeroes."""
    (files / "bytes").mkdir(parents=True)
    (files / "item").write_bytes(SMALL)
    for size in sizes:
        with (files / bytes_target(size).lstrip("/")).open("wb") as sparse:
            sparse.truncate(size)
