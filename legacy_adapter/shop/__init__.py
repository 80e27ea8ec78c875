"""Shop's ports on the monolith's tables and documents. No users' data."""
