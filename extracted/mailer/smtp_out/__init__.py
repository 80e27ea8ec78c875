"""SMTP to the provider. Only this folder knows aiosmtplib; it reads and writes no rows."""
