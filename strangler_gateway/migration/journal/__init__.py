"""The append-only record of every change, and the standings that follow from it."""
