"""What a route declares, how one is found, and what its handler receives. No handlers."""
