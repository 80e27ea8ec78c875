"""A statement under an advisory lock in one round trip to PostgreSQL, by a function of the connection's own.

In a statement alone the lock would come too late: what its last holder has committed is not in the snapshot that the
statement began with. Each statement of a function has a snapshot of its own (PostgreSQL's manual, §38.7).
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import ClauseElement

from chassis.database.driver import may_define
from chassis.database.prepared import Compiled

_PARAMETER: Final = re.compile(r"\$(\d+)")


class Locked:
    """`name`: of the function, in the schema of temporary tables: it goes with the connection, and fits its code."""

    def __init__(self, name: str, statement: ClauseElement) -> None:
        self._compiled = Compiled(statement)
        types = self._compiled.types
        body = _PARAMETER.sub(lambda found: f"${int(found[1]) + 1}", self._compiled.text)
        self._definition = f"""
            CREATE FUNCTION pg_temp.{name}({", ".join(["bigint", *types])}) RETURNS bigint LANGUAGE plpgsql AS $body$
            DECLARE written bigint;
            BEGIN
                PERFORM pg_advisory_xact_lock($1);
                {body};
                GET DIAGNOSTICS written = ROW_COUNT;
                RETURN written;
            END $body$"""
        self._call = f"SELECT pg_temp.{name}({', '.join(f'${number + 1}' for number in range(len(types) + 1))})"
        self._known: WeakSet[Any] = WeakSet()

    async def on(self, direct: Any, lock: int, values: Mapping[str, object]) -> int | None:
        """On a connection of the driver's, outside of a transaction. How many rows the statement itself wrote.

        None: this user may make no temporary objects; nothing was written.
        """
        if direct not in self._known:
            if not await may_define(direct, self._definition):
                return None
            self._known.add(direct)
        ((written,),) = await direct.fetch(self._call, lock, *self._compiled.arguments(values))
        return int(written)
