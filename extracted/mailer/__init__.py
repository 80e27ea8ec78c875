"""Mailer: every mail that PolyCode sends, from a request in a queue to the provider's 250."""
