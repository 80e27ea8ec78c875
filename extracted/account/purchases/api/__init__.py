"""The HTTP routes of purchases, for users and for operators."""
