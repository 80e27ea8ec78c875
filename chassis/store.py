"""What all stores have in common, whatever library speaks to them."""


class StoreUnavailable(Exception):
    """The store cannot be reached, is locked for too long, or has no room for one more connection."""
