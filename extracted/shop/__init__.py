"""Shop: items (hints, validators), how many are left, who has bought what; it decides what becomes of a purchase."""
