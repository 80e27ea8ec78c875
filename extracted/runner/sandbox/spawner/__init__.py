"""The spawner: a small process with one thread that forks each run, watches it, kills all of it, and reports.

It imports only the standard library, because every run begins as a fork of it.
"""
