"""The messaging port in memory, with faults on demand, for tests."""
