"""Purchases: Account's side of the saga between Account and Shop. Nothing about other subjects."""
