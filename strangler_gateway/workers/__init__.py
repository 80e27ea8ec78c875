"""Several processes that act as one gateway: a parent that decides, and workers that serve the public port.

The parent has the state directory, the migration and the admin port, and serves no client. No request passes it.
"""
