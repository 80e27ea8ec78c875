"""A request that becomes a message: read, confirmed by the broker, answered with the consumer's outcome."""
