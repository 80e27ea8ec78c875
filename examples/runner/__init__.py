"""The stand-in for the monolith's runner."""
