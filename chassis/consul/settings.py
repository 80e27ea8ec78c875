"""Where Consul is, and the ACL token for it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chassis.error_reason import reason

_WANTED = "wanted consul://HOST:PORT or consul+https://HOST:PORT (http:// and https:// mean the same)"
_SCHEMES = {"consul": False, "http": False, "consul+http": False, "https": True, "consul+https": True}
DEFAULT_PORTS = {False: 8500, True: 8501}


@dataclass(frozen=True, slots=True)
class ConsulSettings:
    """`token_file` is read again when it changes, and wins over `token`. `ca_file`: PEM; None: the system's own."""

    url: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 10
    """How long a call may take; one that waits for a change may take that much longer than it waits."""


@dataclass(frozen=True, slots=True)
class ConsulAddress:
    """Host and port of an agent."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_consul_url(url: str) -> ConsulAddress:
    """Raises ValueError, without the URL: somebody may have put a token into it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"the URL of Consul cannot be read; {_WANTED}") from None
    tls = _SCHEMES.get(parts.scheme)
    if tls is None or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment or port == 0:
        raise ValueError(f"the URL of Consul is not one; {_WANTED}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL of Consul has a user or password; set the ACL token in its own setting")
    return ConsulAddress(parts.hostname, port or DEFAULT_PORTS[tls], tls)


def tls_context(settings: ConsulSettings) -> ssl.SSLContext | None:
    """None: plain HTTP. Raises ValueError if the CA file cannot be used."""
    if not parse_consul_url(settings.url).tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "it holds no certificate in PEM"
        raise ValueError(f"the CA file for Consul, {settings.ca_file}, cannot be used: {why}") from error


class TokenSource:
    """The ACL token of now. A file that cannot be read at a later look keeps the last token."""

    def __init__(self, settings: ConsulSettings) -> None:
        """Raises ValueError if the file cannot be read."""
        self._file = settings.token_file
        self._token = settings.token or None
        self._seen: tuple[int, int, int] | None = None
        if self._file is not None:
            try:
                self._read(self._file)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"the file of Consul's token, {self._file}, cannot be read: {reason(error)}"
                ) from error

    def token(self) -> str | None:
        """None: calls carry none."""
        if self._file is not None:
            try:
                self._read(self._file)
            except (OSError, ValueError):
                self._seen = None  # half-written or being replaced: the next call looks again
        return self._token

    def _read(self, file: Path) -> None:
        found = file.stat()
        now = (found.st_mtime_ns, found.st_ino, found.st_size)
        if now != self._seen:
            text = file.read_text(encoding="ascii").strip()
            if not text.isprintable() or not text or " " in text:
                raise ValueError("it must hold one token and nothing else")
            self._token, self._seen = text, now
