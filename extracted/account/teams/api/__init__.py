"""HTTP routes of teams. No SQL."""
