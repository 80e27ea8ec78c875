"""Failed log-ins are counted, and whoever fails too often has to wait. Knows no password and no token."""
