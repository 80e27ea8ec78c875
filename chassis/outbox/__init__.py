"""Messages to send and messages received, in the service's own transactions: outbox, inbox, relay, failed messages."""
