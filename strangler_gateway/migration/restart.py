"""What is served of a movable that neither the journal nor the store tells anything about, until the store answers."""

from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState, Movable

_WHY = "unconfirmed: neither the journal nor the store says where it stands"


def unconfirmed(movable: Movable) -> Standing:
    """Legacy, which is safe with shared data. Retired where the file says so: legacy is declared gone."""
    retired = movable.state is MigrationState.RETIRED
    return Standing(Position(MigrationState.RETIRED) if retired else LEGACY, who="restart", why=_WHY, assumed=True)
