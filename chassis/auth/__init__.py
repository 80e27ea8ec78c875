"""Who is calling: identities, signed tokens, published keys, credentials of internal routes. It knows no store."""
