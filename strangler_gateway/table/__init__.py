"""What requests are served by: routes, templates, the matcher. Immutable values, no I/O."""
