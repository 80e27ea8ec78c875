"""SMTP in, for the monolith."""
