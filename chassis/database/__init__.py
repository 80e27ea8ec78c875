"""The SQL database of a service: connections, prepared statements, own tables, migrations. No service's tables."""
