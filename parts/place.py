"""The folder of the parts (PARTS_DIR), and the ordinary user that they run as."""

import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

ORDINARY_USER = "nobody"


class PartFailed(Exception):
    """A part cannot be used. The message says what was seen and what to do."""


@dataclass(frozen=True, slots=True)
class OsUser:
    """The user that a part runs as. It is never root, because PostgreSQL refuses root."""

    uid: int
    gid: int

    @property
    def is_own(self) -> bool:
        return self.uid == os.geteuid()


@dataclass(frozen=True, slots=True)
class Place:
    """`root` holds one folder per part, and built programs."""

    root: Path
    account: OsUser

    @classmethod
    def own(cls, root: Path) -> "Place":
        """Of a test, as the current user."""
        return cls(root, OsUser(os.geteuid(), os.getegid()))

    def folder(self, name: str) -> Path:
        """One part's folder, which only its user can read."""
        folder = self.root / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self.account.is_own:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder


def from_environment() -> Place:
    """Creates the folder if it is missing. Raises PartFailed if another user could write to it."""
    default = Path(tempfile.gettempdir()) / f"strangler-parts-{os.geteuid()}"
    root = Path(os.environ.get("PARTS_DIR") or default).absolute()
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise PartFailed(f"{root} cannot be created: {error.strerror}; set another folder in PARTS_DIR") from error
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PartFailed(f"{root} is not a folder that only you can write to; set another one in PARTS_DIR")
    place = Place(root, _account())
    _expect_reachable(place)
    return place


def _account() -> OsUser:
    if os.geteuid() != 0:
        return OsUser(os.geteuid(), os.getegid())
    name = os.environ.get("PARTS_USER") or ORDINARY_USER
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise PartFailed(f"there is no user {name}; set an ordinary one in PARTS_USER") from None
    if entry.pw_uid == 0:
        raise PartFailed(f"PARTS_USER is {name}, which is root; set an ordinary user")
    return OsUser(entry.pw_uid, entry.pw_gid)


def _expect_reachable(place: Place) -> None:
    """The user must be able to enter every folder above."""
    if place.account.is_own:
        return
    for folder in place.root.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise PartFailed(f"the user that parts run as cannot enter {folder}; set another folder in PARTS_DIR")
