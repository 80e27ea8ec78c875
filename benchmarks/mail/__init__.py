"""`make bench-mail`: mails, from the outbox to an SMTP server."""
