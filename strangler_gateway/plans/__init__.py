"""Plans: what a group does next by itself, and the driver that does it. `decide` and `progress` are pure: no I/O."""
