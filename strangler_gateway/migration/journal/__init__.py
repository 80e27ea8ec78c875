"""The append-only record of every change, and the states that follow from it."""
