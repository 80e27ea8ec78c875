"""YAML as data with line numbers, without its traps (duplicate keys, `no` as a boolean). It knows no field."""
