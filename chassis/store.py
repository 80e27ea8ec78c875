"""The error that all stores share, whichever library they use."""


class StoreUnavailable(Exception):
    """The store cannot be reached, is locked for too long, or accepts no more connections."""
