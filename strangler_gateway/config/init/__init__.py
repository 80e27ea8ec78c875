"""Writes a first routes.yaml from an upstream, an access log or an OpenAPI document."""
