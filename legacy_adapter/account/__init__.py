"""Account's ports on the monolith's tables. No documents."""
