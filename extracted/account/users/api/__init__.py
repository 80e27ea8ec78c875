"""HTTP routes of users. No SQL."""
