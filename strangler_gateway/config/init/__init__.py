"""Writes a first routes.yaml from an upstream URL, an access log or an OpenAPI document. It serves nothing."""
