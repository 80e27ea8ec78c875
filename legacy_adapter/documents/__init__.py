"""The monolith's documents: one port, on MongoDB and on JSON columns."""
