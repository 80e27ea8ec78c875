"""Which of a service's instances takes the next call: the rotation, the rule that chooses, retries on others.

It opens no connection itself (`connections/`), and it does not measure instances (`health/`).
"""
