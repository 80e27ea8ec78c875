"""Records the monolith's answers without secrets, and replays a recording against another server."""
