"""The statements of the outbox. They are built once, because building takes longer than executing."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    Text,
    Update,
    all_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)


def put(table: Table) -> Insert:
    """Writes all columns except those of a lease."""
    return insert(table)


def claim(table: Table, *others: ColumnElement[bool]) -> Update:
    """Leases the oldest `at_most` free messages of `to` to `token` until `lease_end`. Free: no lease at `now`.

    A lease that ends after `latest` was made by a clock that was ahead, and does not count.
    """
    columns, until = table.c, table.c.claimed_until
    now, end, latest = (bindparam(name, type_=until.type) for name in ("now", "lease_end", "latest"))
    is_free = or_(until.is_(None), until <= now, until > latest)
    picked = (
        select(columns.message_id)
        .where(columns.destination == bindparam("to"), columns.published_at.is_(None), is_free, *others)
        .order_by(columns.created_at)
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True)  # left out on SQLite, where one writes at a time
        .cte("picked")  # runs once, whatever the planner thinks of the size of the table
    )
    claimed = update(table).where(columns.message_id.in_(select(picked.c.message_id)))
    values = claimed.values(claim=bindparam("token"), claimed_until=end)
    return values.returning(columns.message_id, columns.created_at, columns.properties, columns.body)


def confirm(table: Table, ids: ColumnElement[bool]) -> Update:
    """Marks the unpublished ones of `ids` as published `at`."""
    found = update(table).where(ids, table.c.published_at.is_(None))
    at = bindparam("at", type_=table.c.published_at.type)
    return found.values(published_at=at, claim=None, claimed_until=None)


def release(table: Table, ids: ColumnElement[bool]) -> Update:
    """Frees those of `ids` that `token` has leased."""
    return update(table).where(ids, table.c.claim == bindparam("token")).values(claim=None, claimed_until=None)


def turn(table: Table) -> Update:
    """`confirm` and `claim` as one statement of PostgreSQL. They touch different rows."""
    others = table.c.message_id != all_(bindparam("ids", type_=ARRAY(Text)))
    return claim(table, others).add_cte(confirm(table, one_of_array(table)).cte("confirmed"))


def one_of_list(table: Table) -> ColumnElement[bool]:
    """One of `ids`, each as a parameter of its own."""
    return table.c.message_id.in_(bindparam("ids", expanding=True))


def one_of_array(table: Table) -> ColumnElement[bool]:
    """One of `ids`, an array as one parameter, on PostgreSQL."""
    return table.c.message_id == any_(bindparam("ids", type_=ARRAY(Text)))


def oldest(table: Table) -> Select[Any]:
    """Each destination with unpublished messages, and since when. It skips along the index from one to the next."""
    columns, waiting = table.c, table.c.published_at.is_(None)
    walk = select(func.min(columns.destination).label("destination")).where(waiting).cte("walk", recursive=True)
    after = select(func.min(columns.destination)).where(waiting, columns.destination > walk.c.destination)
    walk = walk.union_all(select(after.scalar_subquery()).where(walk.c.destination.is_not(None)))
    since = select(func.min(columns.created_at)).where(waiting, columns.destination == walk.c.destination)
    return select(walk.c.destination, since.scalar_subquery()).where(walk.c.destination.is_not(None))


def unpublished(table: Table) -> Select[Any]:
    """Each destination with unpublished messages, and how many."""
    counted = select(table.c.destination, func.count()).where(table.c.published_at.is_(None))
    return counted.group_by(table.c.destination)


def published_at(table: Table) -> Select[Any]:
    """When the message `id` was published."""
    return select(table.c.published_at).where(table.c.message_id == bindparam("id"))


def prune(table: Table) -> Delete:
    """Deletes at most `at_most` messages that were published before `before`."""
    old = select(table.c.message_id).where(table.c.published_at < bindparam("before")).limit(bindparam("at_most"))
    return delete(table).where(table.c.message_id.in_(old))
