"""Where a program runs that nobody trusts: the port, its backends, and which of them this machine has."""
