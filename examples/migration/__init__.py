"""A whole migration (`make migration`): every group of routes moves to its service, and the monolith is ended."""
