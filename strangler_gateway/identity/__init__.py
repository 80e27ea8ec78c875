"""Who is calling: identity providers, the caller's confirmed grants, and the internal token for services."""
