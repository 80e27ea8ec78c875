"""Account's ports on the monolith's tables."""
