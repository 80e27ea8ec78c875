"""Mailer sends every mail of PolyCode: from the request in a queue to the provider's 250."""
