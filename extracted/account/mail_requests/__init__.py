"""Mail that Account asks Mailer to send: what is asked for (domain), and how it gets away (outbox)."""
