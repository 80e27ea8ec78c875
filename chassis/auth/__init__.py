"""Who is calling: shared values, signed tokens, published keys, operators' credentials."""
