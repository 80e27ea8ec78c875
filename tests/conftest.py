"""What all tests share."""

from hypothesis import settings

# The machine is shared and slow at times: how long one example takes tells nothing.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
