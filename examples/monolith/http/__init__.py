"""HTTP as Node, Express and Nest speak it: bodies, queries, JSON, error bodies, headers. No data, no routes."""
