"""The side of the services: connection pools, calls, retries, heads out and back. No routing here."""
