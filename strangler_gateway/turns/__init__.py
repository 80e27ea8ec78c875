"""Whose write is in flight: turns of one process, and of several gateways by Redis.

Nothing here knows a request's way: the step `serialize` asks, and answers.
"""
