"""Records what the monolith answers, without secrets, and replays a recording against another server."""
