"""Messages between deployables: one port, and its brokers (RabbitMQ; an SQLite file). No service's messages here."""
