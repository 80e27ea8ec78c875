"""Contract section 5: items, purchases, transactions."""
