"""The table that serves requests: routes, templates, the matcher, rates. Immutable values, no I/O, no library."""
