"""Where Redis is: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` over TLS, `unix:///PATH[?db=N]`. Pure."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`unix` replaces host and port. It is printed without user and password."""

    host: str
    port: int
    database: int
    tls: bool = False
    unix: str | None = None
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.unix or f"{self.host}:{self.port}"


def parse_redis_url(url: str) -> RedisAddress:
    """Raises ValueError, without the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        said = parts.path[1:] if parts.scheme != "unix" else query.get("db", ["0"])[0]
        database = int(said or 0)
    except ValueError:
        raise ValueError("the URL of Redis cannot be read; wanted redis://HOST:PORT/0") from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix" and parts.path and not parts.hostname and set(query) <= {"db"}:
        return RedisAddress("", 0, database, unix=parts.path, user=user, password=password)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or query or parts.fragment or database < 0:
        raise ValueError("the URL of Redis must be redis://HOST:PORT/DB, rediss://HOST:PORT/DB, or unix:///PATH?db=DB")
    return RedisAddress(parts.hostname, port, database, parts.scheme == "rediss", user=user, password=password)
