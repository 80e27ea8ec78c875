"""The HTTP routes of teams."""
