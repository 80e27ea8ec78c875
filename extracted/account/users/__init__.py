"""Users: sign-up, e-mail addresses, settings."""
