"""Shop: items (hints, validators) that users buy with points. Extracted so far: all but buying."""
