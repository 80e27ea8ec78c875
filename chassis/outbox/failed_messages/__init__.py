"""Messages that a consumer could not handle: their table, and how they are retried. The API is in chassis/service."""
