"""Turns the text of routes.yaml into an immutable table, or lists all its faults with their lines.

Nothing here serves requests or moves routes; it imports only `table` and `http`.
"""
