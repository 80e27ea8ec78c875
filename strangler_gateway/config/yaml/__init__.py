"""YAML with line numbers, without its traps (duplicate keys, `no` as a boolean)."""
