"""The settings of a gateway process: from the command line, the environment (STRANGLER_*) or secret files."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.consul.settings import ConsulSettings
from chassis.error_reason import reason
from chassis.settings import revealed

_SECRETS = (
    "admin_tokens",
    "broker_url",
    "consul_token",
    "debug_token",
    "notify_secret",
    "operator_token",
    "reader_token",
    "redis_url",
    "signing_key",
)


class Settings(BaseSettings):
    """Sizes in bytes, times in seconds; port 0 takes a free one. A secret can also come from the file in NAME_FILE."""

    model_config = SettingsConfigDict(env_prefix="STRANGLER_", frozen=True, extra="ignore")

    routes: Path = Path("routes.yaml")
    """The routes file."""
    file_moves: bool = True
    """Whether a changed state in the routes file moves its group. `false`: the file says which routes there are, and
    nobody writes it; where groups stand is decided by moves alone, as with a ConfigMap."""
    host: str = "127.0.0.1"
    """The address that clients connect to."""
    port: int = Field(8080, ge=0, le=65535)
    """The port that clients connect to."""
    admin_host: str = "127.0.0.1"
    """The address of the admin API, health, metrics and public keys."""
    admin_port: int = Field(8081, ge=0, le=65535)
    """Their port."""
    state_dir: Path | None = None
    """The directory of journal, holds, counters and signing key. None: `.strangler` beside the routes file."""
    workers: int = Field(1, ge=1, le=64)
    """How many processes serve the public port; together they are one gateway. 1: one process does everything."""
    reuse_port: bool = False
    """Whether this process takes over from one that runs on the same state directory, and hands over to the next."""
    name: str = Field("strangler", pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
    """How the gateway calls itself in Via and Proxy-Status."""
    log_file: Path | None = None
    """Where the request log goes. None: standard error."""
    log_fields: str = Field("", pattern=r"^(|(path|user)(,(path|user))*)$")
    """More fields of each request's log line: `path`, `user`, or `path,user`. They are personal data."""

    admin_tokens: SecretStr | None = None
    """Credentials of operators with a name, a line each: NAME:TOKEN. The journal says the name, and a plan's step can
    be approved by another one than who asked for it."""
    broker_url: SecretStr | None = None
    """amqp://… or sqlite:///PATH, for routes that publish; it may contain a password."""
    debug_token: SecretStr | None = None
    """The debug credential, for Strangler-Debug. None: nobody has it."""
    notify_secret: SecretStr | None = None
    """Signs what is sent to the webhooks of plans (HMAC-SHA256). None: it is sent without a signature."""
    operator_token: SecretStr | None = None
    """The credential that may change things through the admin API. None: nothing can be changed there."""
    reader_token: SecretStr | None = None
    """The credential that may read the admin API. None: if there is no operator either, loopback may read."""
    redis_url: SecretStr | None = None
    """redis://HOST:PORT/DB, rediss://… (TLS) or unix:///PATH, for rate limits and turns (`serialize`) that several
    gateways share; it may contain a password. None: each gateway by itself."""
    signing_key: SecretStr | None = None
    """P-256 keys in PEM for the internal token: the first one signs. None: one in the state directory."""

    store: str = Field("", pattern=r"^(consul)?$")
    """`consul`: where several gateways that act as one share their decisions (docs/many-gateways.md). Empty: this
    gateway is alone."""
    store_prefix: str = Field("strangler", pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$")
    """Below which key the gateways that act as one share their decisions; another one for each cluster."""
    store_wait_s: float = Field(2.0, gt=0, le=60)
    """How long a move waits for the other gateways to report that they serve it; before one half as long."""
    store_session_s: int = Field(15, ge=10, le=3600)
    """How long a gateway that makes automatic moves may be silent before another one may."""
    consul_url: str | None = None
    """consul://HOST:PORT or consul+https://HOST:PORT: the agent of Consul beside this gateway."""
    consul_token: SecretStr | None = None
    """The ACL token for Consul. The file in STRANGLER_CONSUL_TOKEN_FILE is read again when it changes."""
    consul_ca_file: Path | None = None
    """PEM file with which Consul's certificate is verified. None: the system's own authorities."""
    consul_timeout_s: float = Field(3.0, gt=0, le=60)
    """How long a call to Consul may take."""
    member: str | None = Field(None, pattern=r"^[A-Za-z0-9._:-]{0,100}$")
    """The name of this gateway among those that share a store. None: host name and admin port."""
    advertise: str | None = Field(None, pattern=r"^(https?://.*)?$")
    """The URL at which the other gateways reach this one's admin port. None: its address, if that is not a wildcard."""

    dns_server: str | None = Field(None, pattern=r"^.+:[0-9]{1,5}$")
    """ADDRESS:PORT of a name server for services with `discover: dns://…`. None: those of /etc/resolv.conf."""

    redis_timeout_s: float = Field(0.02, gt=0, le=5)
    """How long a request waits for its rate limit in Redis; then Redis counts as away for it."""
    max_request_line: int = Field(16 * 1024, ge=64)
    """Bytes of a request line; a longer one gets 414."""
    max_header: int = Field(64 * 1024, ge=256)
    """Bytes of a request's header section; a longer one gets 431."""
    max_fields: int = Field(200, ge=1)
    """Header fields of a request; more get 431."""
    max_response_header: int = Field(64 * 1024, ge=256)
    """Bytes of an upstream's header section; a longer one becomes a 502."""
    max_connections: int = Field(10_000, ge=1)
    """Client connections at once; more get 503."""
    queue_wait_s: float = Field(0.5, gt=0, le=60)
    """How long a request may wait because this process has more to do than it can; then it gets 503. No more wait than
    begin within this time."""
    max_waiting: int = Field(1_000, ge=1)
    """How many requests may wait for the result of their message at the same time."""
    header_timeout_s: float = Field(30.0, gt=0)
    """How long a request's header section may take to arrive."""
    body_timeout_s: float = Field(60.0, gt=0)
    """How long a client may pause within a request body."""
    keep_alive_s: float = Field(75.0, gt=0)
    """How long an idle client connection stays open, on the admin port, too."""
    linger_s: float = Field(2.0, ge=0)
    """How long the gateway still reads from a client whose connection it closes, so that the client gets its answer."""
    grace_s: float = Field(0.0, ge=0)
    """At a stop: how long the gateway is not ready but still accepts connections."""
    drain_s: float = Field(20.0, ge=0)
    """At a stop: how long requests under way may take; then WebSockets are closed with 1001."""

    tls_cert: Path | None = None
    """The certificate in PEM, with its intermediate ones. None: plain HTTP. It is read again when it changes."""
    tls_key: Path | None = None
    """Its key. None: it is in the file of the certificate."""

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: Any) -> Any:
        """STRANGLER_X_FILE names a file that contains the secret X."""
        for name in _SECRETS:
            path = os.environ.get(f"STRANGLER_{name.upper()}_FILE")
            if path and not values.get(name):
                values[name] = _secret(name, path)
        return values

    @property
    def state(self) -> Path:
        """The state directory; by default .strangler beside the routes file."""
        return self.state_dir or self.routes.resolve().parent / ".strangler"

    @property
    def consul(self) -> ConsulSettings | None:
        """How to reach Consul; None: no URL is set."""
        if not self.consul_url:
            return None
        file = os.environ.get("STRANGLER_CONSUL_TOKEN_FILE")
        return ConsulSettings(
            self.consul_url,
            token=revealed(self.consul_token),
            token_file=Path(file) if file else None,
            ca_file=self.consul_ca_file,
            timeout_s=self.consul_timeout_s,
        )


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"STRANGLER_{name.upper()}_FILE names {path}, which cannot be read: {reason(exc)}") from exc
