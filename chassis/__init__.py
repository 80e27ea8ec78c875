"""Mechanism that every deployable needs. No business word may stand here, and nothing imports from above."""
