"""What the settings of a process name, opened: the log, the signing key, the broker, Redis, traces."""

import contextlib
import logging
import random
import sys
from collections.abc import Iterator
from typing import Any

from chassis.discovery.open import Discovery
from chassis.messaging.open import open_broker
from chassis.settings import SettingsInvalid, revealed
from chassis.tracing.opening import open_tracer, sampled_part
from strangler_gateway.identity.signer import Signer, ephemeral_signer, open_signer
from strangler_gateway.limits.redis import RedisCounters
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.redis.address import parse_redis_url
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.request_traces import RequestTraces
from strangler_gateway.telemetry.user_sketch import Hashed, keyed

log = logging.getLogger(__name__)

_BROKER_USER = "gateway"


@contextlib.contextmanager
def log_output(settings: Settings) -> Iterator[Any]:
    """Where the request log goes. Raises OSError."""
    if settings.log_file is None:
        yield sys.stderr.buffer
        return
    with settings.log_file.open("ab", buffering=0) as out:
        yield out


def signer(settings: Settings) -> Signer:
    """The signing key from the settings or the state directory; one for this process where nothing can be kept."""
    secret = revealed(settings.signing_key)
    try:
        return open_signer(secret, settings.state)
    except OSError as exc:
        log.warning("the signing key cannot be stored: %s. This process uses a temporary key", exc)
        return ephemeral_signer()


def hashed_users(settings: Settings) -> Hashed:
    """How users are counted: of several gateways each hashes alike, as long as they have the same signing keys."""
    return keyed(revealed(settings.signing_key) or "") if settings.store else hash


def discovery(settings: Settings) -> Discovery:
    """The sources of instances; nobody is asked yet."""
    return Discovery(settings.consul, settings.dns_server)


def publishing(settings: Settings) -> Publishing:
    """The broker may be away, or none set. Raises SettingsInvalid."""
    url = settings.broker_url.get_secret_value() if settings.broker_url else ""
    try:
        return Publishing(open_broker(url, _BROKER_USER) if url else None, max_waiting=settings.max_waiting)
    except ValueError as exc:
        raise SettingsInvalid(str(exc)) from None  # the cause would show the URL


def shared_counters(settings: Settings) -> RedisCounters | None:
    """Redis may be away, or none set. Raises SettingsInvalid."""
    url = revealed(settings.redis_url)
    try:
        return RedisCounters(parse_redis_url(url), settings.redis_timeout_s) if url else None
    except ValueError as exc:
        raise SettingsInvalid(f"STRANGLER_REDIS_URL: {exc}") from None


def traces() -> RequestTraces | None:
    """As the OTEL_* variables ask. Raises SettingsInvalid."""
    tracer = open_tracer("strangler", sampled=True)
    return None if tracer is None else RequestTraces(tracer, sampled_part(), random.random)
