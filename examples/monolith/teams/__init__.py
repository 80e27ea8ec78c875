"""Contract section 4.4: teams and their members."""
