"""The monolith's tables and documents, on SQLite, PostgreSQL or MongoDB. Knows no route."""
