"""A real Envoy Gateway beside an API server."""
