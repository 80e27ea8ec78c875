"""A small disk that a test fills and empties: a tmpfs of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.faults.purchases.database.postgres import undisturbed
from tests.support.connected import POSTGRES_URL, fresh_name
from tests.support.system.scene import Scene

SIZE = "12m"


@dataclass(frozen=True)
class SmallDisk:
    """`root` is writable for every user."""

    root: Path

    @property
    def _filler(self) -> Path:
        return self.root / "filler"

    def fill(self) -> None:
        """Fills it to the last byte, until `free`. Call it again to take space released since."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 16))

    def free(self) -> None:
        """Makes room again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Fails if it cannot be mounted."""
    root = Path(tempfile.mkdtemp(prefix="small-disk-"))
    root.chmod(0o755)  # whoever the database runs as
    try:
        _as_root("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=1777", "tmpfs", str(root))
        try:
            yield SmallDisk(root)
        finally:
            _as_root("umount", "--lazy", str(root))
    finally:
        root.rmdir()


@contextmanager
def moved_to(disk: SmallDisk, scene: Scene) -> Iterator[None]:
    """Moves the tables of a PostgreSQL database there during the block."""
    name = fresh_name()
    with psycopg.connect(scene.system.stores.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{_for_postgres(disk)}'")
        with undisturbed(scene):
            _move(connection, "pg_default", name)
        try:
            yield
        finally:
            with undisturbed(scene):
                _move(connection, name, "pg_default")
            connection.execute(f"DROP TABLESPACE {name}")


def _move(connection: "psycopg.Connection[tuple[object, ...]]", here: str, there: str) -> None:
    for kind in ("TABLE", "INDEX"):
        connection.execute(f"ALTER {kind} ALL IN TABLESPACE {here} SET TABLESPACE {there}")


def _for_postgres(disk: SmallDisk) -> Path:
    folder = disk.root / "tablespace"
    folder.mkdir(mode=0o700)
    with psycopg.connect(POSTGRES_URL) as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    owner = Path(found[0]).stat()
    if owner.st_uid != os.geteuid():
        os.chown(folder, owner.st_uid, owner.st_gid)
    return folder


def _as_root(*command: str) -> None:
    whole = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *command]
    if shutil.which(whole[0]) is None:
        pytest.fail(f"{whole[0]} is missing: a small disk needs root, or sudo without a password", pytrace=False)
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"a small disk needs root, or sudo without a password ({done.stderr.strip()})", pytrace=False)
