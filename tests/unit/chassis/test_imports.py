"""Imports while the garbage collector is off."""

import gc

import pytest

from chassis.imports import collector_off


def test_the_collector_is_off_for_the_imports_and_skips_afterwards_what_they_made() -> None:
    frozen = gc.get_freeze_count()
    try:
        with collector_off():
            was_on = gc.isenabled()
            made = [[] for _ in range(1000)]  # type: list[list[object]]
        assert not was_on
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen + len(made)
    finally:
        gc.unfreeze()


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    try:
        with pytest.raises(ImportError), collector_off():
            import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401
        assert gc.isenabled()
    finally:
        gc.unfreeze()
