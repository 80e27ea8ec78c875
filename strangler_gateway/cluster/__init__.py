"""Many gateways, one truth: the record of each group, the store that shares it. Nothing here moves a group."""
