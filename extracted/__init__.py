"""The services extracted from the monolith."""
