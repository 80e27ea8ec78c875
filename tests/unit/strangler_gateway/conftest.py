"""Worlds that several folders share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from strangler_gateway.migration.migration import Migration
from tests.support.gateway.administered import AdminServer
from tests.support.gateway.migrating import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.aclose()


@pytest.fixture
async def migration(world: World) -> Migration:
    return await world.started()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AdminServer]:
    with AdminServer(tmp_path) as running:
        yield running
