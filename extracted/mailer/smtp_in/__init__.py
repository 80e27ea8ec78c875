"""The mail server for the monolith's mail (SMTP in). Only this folder knows aiosmtpd; it never sends a mail."""
