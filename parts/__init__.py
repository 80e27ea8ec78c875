"""The real servers for the connected tests, started without Docker on loopback: one module per server in `servers/`.

Here: `python -m parts`, and what its modules need: places, ports, processes, packages. No test, no business word.
"""
