"""A service's database: connections, transactions, its own tables beside the monolith's, migrations."""
