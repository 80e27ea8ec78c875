"""The HTTP routes of users."""
