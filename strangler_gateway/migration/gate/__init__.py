"""The gate: is there enough evidence to move forward? Bounds and verdicts (pure), and the counts they are about."""
