"""Traces by OpenTelemetry, an extra: where OTEL_* variables ask for them. `otel` alone knows the library."""
