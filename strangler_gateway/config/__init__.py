"""routes.yaml as text → an immutable table, or all its faults with their lines. Requests are never served from here."""
