"""The servers that `make parts` starts, a module each: install, build, start, stop, and whether it runs.

What they have in common is in `server.py`; what tests create on them (databases, realms) is in `parts/fresh.py`.
"""
