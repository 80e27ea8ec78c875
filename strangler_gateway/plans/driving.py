"""The parts of plans of one gateway, put together."""

from dataclasses import dataclass
from pathlib import Path

from strangler_gateway.migration.saved.saved_file import SavedFile
from strangler_gateway.plans.clocks import PlanClock
from strangler_gateway.plans.driven import DrivenMigration
from strangler_gateway.plans.driver import PlanDriver
from strangler_gateway.plans.notify import PlanNotifier
from strangler_gateway.plans.plans import Plans
from strangler_gateway.plans.progress import ProgressBook
from strangler_gateway.plans.standings import PlanStandings


@dataclass(frozen=True, slots=True)
class Driving:
    """`driver` acts, `plans` answers people, `notifier` tells them."""

    driver: PlanDriver
    plans: Plans
    notifier: PlanNotifier


def driving(
    migration: DrivenMigration, book: ProgressBook, clock: PlanClock, secret: str | None, gateway: str
) -> Driving:
    """`secret` signs notices; `gateway`: this one's name in them."""
    here, notifier = PlanStandings(migration, clock, book), PlanNotifier(secret, gateway, clock.wall)
    driver = PlanDriver(migration, here, notifier.tell)
    return Driving(driver, Plans(migration, here, driver), notifier)


def progress_file(folder: Path, book: ProgressBook) -> SavedFile:
    """The file `plans.json`: the time that was spent in each step."""
    return SavedFile(folder / "plans.json", book.snapshot, book.restore, "the time in each step of a plan counts anew")
