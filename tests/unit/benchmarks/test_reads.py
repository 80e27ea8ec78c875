"""The same read both ways, on a system that really runs."""

from pathlib import Path

import pytest

from benchmarks.common.load import Generator
from benchmarks.gateway.reads import ReadStores, running


@pytest.mark.walk
def test_a_read_is_answered_the_same_by_the_service_and_through_the_gateway(tmp_path: Path) -> None:
    with running(ReadStores(f"sqlite:///{tmp_path / 'monolith.sqlite3'}"), tmp_path) as system:
        assert [read.name for read in system.reads] == ["read_overhead", "learning_overhead"]
        for read in system.reads:
            direct = (read.port, system.internal_token(read.service))
            for port, token in (direct, (system.gateway, system.token)):
                fields = [("Authorization", f"Bearer {token}")]
                load = Generator().run(port, read.target, fields, 2, 0.2)
                assert load.requests > 0
                assert load.errors == 0
