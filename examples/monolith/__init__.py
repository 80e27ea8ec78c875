"""The stand-in monolith: what a PolyCode user sees of the real one, on one SQLite file."""
