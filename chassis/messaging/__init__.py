"""Messages between deployables: one port, and what implements it (RabbitMQ, tables in SQLite, memory for tests)."""
