"""Shop: items (hints, validators) that users buy with points. Extracted so far: the reads."""
