"""What the gateway counts and logs: counters, the metrics page, the access log. It decides nothing."""
