"""The smallest service, to copy."""
