"""The messaging port on RabbitMQ. Only this folder imports the client library (aiormq, pamqp)."""
