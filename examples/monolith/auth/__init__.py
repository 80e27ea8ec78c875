"""Passwords, tokens, and who may do what. Has no route of its own."""
