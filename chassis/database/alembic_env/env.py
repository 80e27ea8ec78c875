"""What Alembic runs for each migration of each service."""

from chassis.database.migrations import run

run()
