"""Two that migrate an empty PostgreSQL database at the same moment: one waits for the other."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.database import migrations
from chassis.database.database import Database
from tests.ports.outbox.service import REVISIONS
from tests.support.connected import fresh_postgres, waiting

pytestmark = pytest.mark.connected
ROOT = Path(__file__).parents[4]
WITHIN_S = 60
SLOW = """    migrations.op.execute("SELECT * FROM public.gate")\n"""
MIGRATE = "import asyncio, sys, pathlib; from chassis.database import migrations; "
MIGRATE += "asyncio.run(migrations.upgrade(sys.argv[1], 'account', pathlib.Path(sys.argv[2])))"


async def test_they_make_the_tables_once_and_both_end_well(tmp_path: Path) -> None:
    first = (REVISIONS / "first.py").read_text()
    (tmp_path / "first.py").write_text(first.replace("def upgrade() -> None:\n", f"def upgrade() -> None:\n{SLOW}"))
    url = fresh_postgres()
    holding, looking = Database(url), Database(url)
    async with holding.write() as gate:
        await gate.execute(text("CREATE TABLE public.gate (id integer)"))
    async with asyncio.timeout(WITHIN_S), holding.write() as gate:
        await gate.execute(text("LOCK TABLE public.gate"))  # whoever migrates stops in the middle
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, url, str(tmp_path), cwd=ROOT)
        here = asyncio.create_task(migrations.upgrade(url, "account", tmp_path))
        while waiting(url) < 2:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(WITHIN_S):
        assert await process.wait() == 0
        await here
    assert await migrations.head_missing(looking, "account", tmp_path) is None
    await holding.aclose()
    await looking.aclose()
