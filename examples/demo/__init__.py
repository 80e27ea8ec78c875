"""The development launcher: the whole system on free ports, for `make demo` and `make run`."""
