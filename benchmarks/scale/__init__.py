"""What the table, the watch and the counters of many gateways cost: docs/decisions/scale.md."""
