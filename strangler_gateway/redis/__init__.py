"""The gateway's own client of Redis: where it is, a connection, and the scripts that run on it.

Nothing here knows what is counted or locked: limits and turns bring their scripts.
"""
