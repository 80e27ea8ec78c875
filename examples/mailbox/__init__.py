"""A mail server for development: it keeps each mail as a file, and delivers none."""
