"""The real parts that the connected tests run against, without Docker: one module a part, all on loopback."""
