"""The messaging port on RabbitMQ. Only this folder knows aio-pika."""
