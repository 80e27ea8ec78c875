"""An instance of a service: the value that sources of instances give, and that callers choose from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instance:
    """One process that serves. `id` is unique within its service; `unix`: a socket in place of host and port."""

    id: str
    host: str
    port: int
    unix: str | None = None
