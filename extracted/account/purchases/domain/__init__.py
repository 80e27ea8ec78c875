"""Purchases as values and rules. No I/O, no clock."""
