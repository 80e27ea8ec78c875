"""What all tests share."""

from hypothesis import settings

from tests.effort import examples

# The machine is shared and slow at times: how long one example takes tells nothing.
settings.register_profile("steady", deadline=None, max_examples=examples(100))
settings.load_profile("steady")
