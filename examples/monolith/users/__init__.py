"""Contract sections 3 and 4.1 to 4.3: log-in, users, e-mails, settings."""
