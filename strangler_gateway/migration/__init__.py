"""Which group is in which state: the rules for moves, the moves themselves, and what outlives the process."""
