"""The gateway's own TLS certificate, read again when its files change."""

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)


class Certificate:
    """Keeps a server context up to date: new handshakes get the new certificate, connections under way keep theirs."""

    def __init__(self, context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
        self._context, self._cert, self._key = context, cert, key
        self._seen = self._stamp()

    def refresh(self) -> None:
        """Loads the files again if they have changed; a bad pair is logged, and the old one stays in use."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            # Tried on another context first: one that fails half-way serves neither the old pair nor the new one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert, self._key)
            self._context.load_cert_chain(self._cert, self._key)
        except (OSError, ssl.SSLError) as exc:
            log.error("the new TLS certificate cannot be loaded; the old one stays in use: %s", exc)
        else:
            log.info("TLS certificate reloaded")

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            return tuple(path.stat().st_mtime_ns for path in (self._cert, self._key) if path is not None)
        except OSError:
            return None
