"""A mail server for development: keeps each mail as a file and delivers none."""
