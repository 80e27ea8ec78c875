"""Sessions of the identity server: what a token says, whether it still counts, what it is exchanged for."""
