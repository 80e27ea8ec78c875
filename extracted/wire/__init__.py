"""The public wire format that every service answers in: byte for byte the monolith's (Express, Nest)."""
