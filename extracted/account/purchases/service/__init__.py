"""The use cases of a purchase."""
