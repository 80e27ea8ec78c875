"""Messages that a consumer could not handle: their table, their retries, what operators do with them."""
