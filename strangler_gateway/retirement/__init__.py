"""The proof that a group's routes no longer reach the monolith: made, signed, and checked offline."""
