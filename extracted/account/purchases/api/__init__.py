"""HTTP routes of purchases, for users and operators. No SQL."""
