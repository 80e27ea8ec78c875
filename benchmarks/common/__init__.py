"""What all measurements use: load, upstreams, peers, processes, and the report."""
