"""What Alembic runs for each migration of each service."""

from chassis.migrations import run

run()
