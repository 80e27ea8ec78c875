"""SMTP out, towards the provider."""
