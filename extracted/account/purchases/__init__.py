"""Purchases: the saga between Account and Shop, seen from Account."""
