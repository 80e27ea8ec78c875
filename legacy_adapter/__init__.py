"""Anti-corruption layer: the only place that knows the monolith's tables, documents and tokens. No rules."""
