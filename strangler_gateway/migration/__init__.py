"""The state of each group or route: rules for moves, the moves, and the files that keep them over a restart."""
