"""`make bench-purchase`: purchases through the whole system."""
