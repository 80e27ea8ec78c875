"""The checks of `strangler check`: faults refuse a file, warnings do not. No check does I/O."""
