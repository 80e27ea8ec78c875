"""What a serving process asks of the garbage collector."""

import gc

from strangler_gateway.collector import OBJECTS, settle


def test_a_process_that_serves_has_the_collector_look_seldom_and_never_at_what_start_up_made() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        settle()
        assert gc.isenabled()
        assert gc.get_threshold()[0] == OBJECTS
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
