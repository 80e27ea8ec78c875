"""The development launcher: starts the whole system on free ports, for `make demo` and `make run`."""
