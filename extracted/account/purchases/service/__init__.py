"""Use cases of a purchase. They know ports, no SQL and no HTTP."""
