"""Messages sent and received within a service's own transactions: outbox, relay, inbox, consumer. It knows no web."""
