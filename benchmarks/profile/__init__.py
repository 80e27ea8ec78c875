"""Where the time of a request goes: `python -m benchmarks.profile`, and a request without sockets in `steps`."""
