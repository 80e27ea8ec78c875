"""The library that moves the clock of one process."""

import subprocess
import sys

import pytest

from parts import faketime

pytestmark = pytest.mark.connected


def test_it_puts_the_clock_forward_of_the_process_that_loads_it() -> None:
    own = {"LD_PRELOAD": str(faketime.library()), "FAKETIME": "+1h"}
    code = "import time; print(time.time())"
    seen = [subprocess.check_output([sys.executable, "-c", code], env=environ) for environ in ({}, own)]
    assert float(seen[1]) - float(seen[0]) == pytest.approx(3600, abs=60)
