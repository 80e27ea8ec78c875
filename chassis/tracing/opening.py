"""Opens the tracer that the standard's OTEL_* variables ask for; without them there is none."""

import os
from collections.abc import Mapping
from typing import Final

from chassis.settings import SettingsInvalid
from chassis.tracing.port import Tracer

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_MISSING: Final = "OpenTelemetry is not installed; install the extra: pip install 'strangler-gateway[otel]'"


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces: OTEL_TRACES_EXPORTER=otlp, or an endpoint, and not OTEL_SDK_DISABLED."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" and bool(exporter or any(environ.get(name) for name in _ENDPOINTS))


def open_tracer(service: str, environ: Mapping[str, str] = os.environ, *, sampled: bool = False) -> Tracer | None:
    """None unless it is wanted. `sampled`: the caller chooses what is traced; else OTEL_TRACES_SAMPLER does.

    Raises SettingsInvalid: the extra is missing, or a variable asks for what there is not.
    """
    if not is_wanted(environ):
        return None
    _check(environ, "OTEL_TRACES_EXPORTER", "otlp")
    for name in _PROTOCOLS:
        _check(environ, name, "http/protobuf")
    try:
        from chassis.tracing.otel import OtelTracer  # an extra
    except ImportError as error:
        raise SettingsInvalid(_MISSING) from error
    return OtelTracer(environ.get("OTEL_SERVICE_NAME") or service, sampled=sampled)


def sampled_part(environ: Mapping[str, str] = os.environ) -> float:
    """The part of all requests that OTEL_TRACES_SAMPLER and its _ARG let a gateway trace: 0 … 1; all by default.

    Raises SettingsInvalid.
    """
    sampler = environ.get("OTEL_TRACES_SAMPLER", "always_on").removeprefix("parentbased_")
    if sampler in ("always_on", "always_off"):
        return float(sampler == "always_on")
    if sampler != "traceidratio":
        raise SettingsInvalid(f"OTEL_TRACES_SAMPLER is {sampler!r}; wanted always_on, always_off or traceidratio")
    given = environ.get("OTEL_TRACES_SAMPLER_ARG", "1")
    try:
        part = float(given)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise SettingsInvalid(f"OTEL_TRACES_SAMPLER_ARG is {given!r}; wanted a number from 0 to 1")
    return part


def _check(environ: Mapping[str, str], name: str, wanted: str) -> None:
    if environ.get(name, wanted) not in ("", wanted):
        raise SettingsInvalid(f"{name} is {environ[name]!r}; there is {wanted} only")
