"""The real servers for the connected tests, started without Docker on loopback: one module per server."""
