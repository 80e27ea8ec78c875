"""Mechanism that every deployable needs; no business word."""
