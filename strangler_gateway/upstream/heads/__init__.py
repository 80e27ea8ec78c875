"""Heads as a service gets them, and as the client gets them back: headers added, removed, mapped.

Values in, values out; nothing is sent here.
"""
