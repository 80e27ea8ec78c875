"""The runner's HTTP edge: `monolith` answers as the monolith's runner does, `jobs` is the runner's own API."""
