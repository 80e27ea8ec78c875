"""F37: all of it at random, for a short while; `make soak` is the long form."""

import pytest

from tests.faults.soak import soak

pytestmark = pytest.mark.connected
SECONDS, SEED = 20, 37


def test_f37_buyers_and_faults_at_random_breach_nothing() -> None:
    assert soak(SECONDS, SEED) == 0
