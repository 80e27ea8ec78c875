"""The monolith's documents: one port, on MongoDB and on SQLite. No meaning of a document's fields."""
