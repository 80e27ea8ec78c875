"""Keycloak, the identity server, on its own H2 database. User `admin`; the first start makes its password."""

import os
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import httpx

from parts import packages
from parts.place import OsUser, PartFailed, Place
from parts.ports import free_ports
from parts.process import run
from parts.servers.server import Server, SharedServer, running

NAME = "keycloak"
PORT = int(os.environ.get("KEYCLOAK_PORT") or 18480)
MANAGEMENT_PORT = int(os.environ.get("KEYCLOAK_MANAGEMENT_PORT") or PORT + 1)
URL = f"http://127.0.0.1:{PORT}"
ADMIN = "admin"
VERSION = "26.5.6"
ARCHIVE = f"keycloak-quarkus-dist-{VERSION}.zip"
ARCHIVE_SHA256 = "490189d9dff05272432d51f71a069462eeca97f2920a694d539a1e6c26a5a347"
HEAP = os.environ.get("JAVA_OPTS_KC_HEAP") or "-Xms64m -Xmx384m"
"""Keycloak's own name for it. With this heap the process stays below about 600 MB."""
BUILD = ("--db=dev-file", "--health-enabled=true")
CONCURRENT = "--spi-brute-force-protector--default-brute-force-detector--allow-concurrent-requests=true"
"""Without it, of several log-ins of one user at once all but one are refused. Account limits attempts itself."""
START_TIMEOUT_S = 180  # 10 s on a free machine
ANSWER_TIMEOUT_S = 5
PROGRESS_S = 10
POLL_S = 0.2
PASSWORD_FILE = f"{NAME}-admin-password"
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
JAVA = (
    *("-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"),
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.util", "java.util.concurrent", "java.security")),
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dfile.encoding=UTF-8",
)
"""What bin/kc.sh gives to Java. Its shell would stay as the parent, and outlive or be outlived by a kill."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server; `management`: health."""

    http: int
    management: int


class KeycloakServer(Server):
    """One server of a built distribution."""

    def __init__(self, place: Place, ports: Ports, home: Path) -> None:
        super().__init__(place, NAME)
        self.ports = ports
        self.url = f"http://127.0.0.1:{ports.http}"
        self._home = home

    def start(self) -> None:
        """Returns when it is ready, and says every ten seconds that it is not. Raises PartFailed."""
        if self.process() is not None:
            return
        if not (self._home / "bin").exists():
            raise PartFailed(f"it is not built: python -m parts build {NAME}")
        environ = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": self.password()}
        self._daemon.start(self._command(), self.ports.management, START_TIMEOUT_S, environ)
        _wait(self._is_ready, START_TIMEOUT_S)

    def forget(self) -> None:
        """Stops it and removes its database: the next start is its first."""
        self.stop()
        shutil.rmtree(self._folder / "database", ignore_errors=True)

    def password(self) -> str:
        """The administrator's."""
        return admin_password(self._place)

    def _is_ready(self) -> bool:
        if self.process() is None:
            raise PartFailed(f"it has ended at its start; see {self._daemon.log}")
        try:
            url = f"http://127.0.0.1:{self.ports.management}/health/ready"
            return httpx.get(url, timeout=ANSWER_TIMEOUT_S, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _command(self) -> list[str | Path]:
        database = f"jdbc:h2:file:{self._folder / 'database' / NAME};NON_KEYWORDS=VALUE"
        return [
            *(_java(), *HEAP.split(), *JAVA),
            *(f"-Dkc.home.dir={self._home}", f"-Djboss.server.config.dir={self._home / 'conf'}"),
            *("-cp", self._home / "lib" / "quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint"),
            *("start", "--optimized", "--cache=local", "--http-enabled=true", f"--hostname={self.url}"),
            *("--http-host=127.0.0.1", f"--http-port={self.ports.http}", "--http-management-host=127.0.0.1"),
            *(f"--http-management-port={self.ports.management}", f"--db-url={database}"),
            CONCURRENT,
        ]


def own(folder: Path, place: Place) -> AbstractContextManager[KeycloakServer]:
    """A running server for a fault test, which may stop, kill and empty it: on free ports, as the current user.

    `place` is where `make parts` has built the distribution.
    """
    return running(KeycloakServer(Place.own(folder), Ports(*free_ports(2)), _home(place)))


def install() -> None:
    """Installs Java, and Maven to fetch the distribution, unless the programs exist."""
    missing = {"java": "openjdk-17-jre-headless", "mvn": "maven"}
    wanted = [package for program, package in missing.items() if shutil.which(program) is None]
    if wanted:
        packages.install(" ".join(wanted), "Java for Keycloak, or Maven to fetch it,")


def build(place: Place) -> None:
    """Fetches the distribution (165 MB) and prepares it, once. Raises PartFailed."""
    home = _home(place)
    if home.exists():
        return
    home.parent.mkdir(exist_ok=True)
    new = home.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    _fetch(new)
    with zipfile.ZipFile(new / ARCHIVE) as archive:
        archive.extractall(new)
    (new / ARCHIVE).unlink()
    program = new / f"keycloak-{VERSION}" / "bin" / "kc.sh"
    run(["sh", program, "build", *BUILD])
    _allow(new, place.account)
    (new / f"keycloak-{VERSION}").rename(home)
    new.rmdir()


def admin_password(place: Place) -> str:
    """KEYCLOAK_ADMIN_PASSWORD, or that of a file which nobody else can read. Made where there is none yet."""
    given = os.environ.get("KEYCLOAK_ADMIN_PASSWORD")
    file = place.root / PASSWORD_FILE
    if given or file.exists():
        return given or file.read_text()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(24))
    return file.read_text()


def _shared(place: Place) -> KeycloakServer:
    return KeycloakServer(place, Ports(PORT, MANAGEMENT_PORT), _home(place))


SHARED = SharedServer(_shared, PORT, "KEYCLOAK_PORT")
start, stop, is_running = SHARED.start, SHARED.stop, SHARED.is_running


def _home(place: Place) -> Path:
    return place.root / "bin" / f"{NAME}-{VERSION}"


def _fetch(folder: Path) -> None:
    """Maven checks the transfer, this file what was transferred."""
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    run(["mvn", "-q", "-B", "-C", FETCH, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"])
    with (folder / ARCHIVE).open("rb") as archive:
        seen = file_digest(archive, "sha256").hexdigest()
    if seen != ARCHIVE_SHA256:
        raise PartFailed(
            f"{ARCHIVE} has the SHA-256 {seen}; expected {ARCHIVE_SHA256}. Remove it from ~/.m2, then repeat"
        )


def _allow(folder: Path, account: OsUser) -> None:
    """Gives everything below to the user that the server runs as: it writes temporary files into its home."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid)


def _wait(is_ready: Callable[[], bool], timeout_s: float) -> None:
    begun = told = time.monotonic()
    while not is_ready():
        now = time.monotonic()
        if now - begun > timeout_s:
            raise PartFailed(f"it is not ready after {timeout_s:.0f} s")
        if now - told > PROGRESS_S:
            told = now
            print(f"{NAME}: not ready yet ({now - begun:.0f} s)", flush=True)
        time.sleep(POLL_S)


def _java() -> str:
    found = shutil.which("java")
    if found is None:
        raise PartFailed(f"java is missing: python -m parts install {NAME}")
    return found
