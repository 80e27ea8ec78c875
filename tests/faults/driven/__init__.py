"""Plans against services that fail, each in its own way: real processes, real time, a seed."""
