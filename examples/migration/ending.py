"""The end of the monolith's process: users go on working, and each route is asked what has become of it."""

import asyncio
from collections import Counter
from collections.abc import Callable

from examples.demo.story import StoryFailed
from examples.demo.system import DemoSystem
from examples.migration.crowd import Crowd
from strangler_gateway.table.routes import Route

WITHIN_S = 60.0
POLL_S = 0.1


async def end_monolith(system: DemoSystem, crowd: Crowd) -> None:
    """Ends the process while users are at work, and prints the table. Raises StoryFailed."""
    world = crowd.world
    async with crowd.at_work():
        world.routes.monolith_runs = False
        await _until(crowd, lambda: not world.routes.waiting_for_monolith())
        assert system.monolith is not None
        await system.monolith.end()
        print(f"The monolith has ended. {len(crowd.users)} users go on working.", flush=True)
        world.routes.answers.clear()
        moved = [route.id for route in world.routes.table.routes if route.has_new_end]
        await _until(crowd, lambda: all(world.routes.answers[route] for route in moved))
    _print_table(crowd)


async def _until(crowd: Crowd, done: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while not done():
        if problems := crowd.world.problems():
            raise StoryFailed(problems)
        if asyncio.get_running_loop().time() > deadline:
            missing = [route for route, statuses in crowd.world.routes.answers.items() if not statuses]
            raise StoryFailed(f"after {WITHIN_S:g} s without the monolith nobody has called {', '.join(missing)}")
        await asyncio.sleep(POLL_S)


def _print_table(crowd: Crowd) -> None:
    """Every route, who answers it now, and what users got. Raises StoryFailed where a route has ended."""
    answers = crowd.world.routes.answers
    table = crowd.world.routes.table.routes
    if ended := [route.id for route in table if not route.has_new_end]:
        raise StoryFailed(f"{len(ended)} routes have ended with the monolith: {', '.join(ended)}")
    print(f"\n  {'route':20}{'request':46}{'answered by':24}answers")
    for route in table:
        print(f"  {route.id:20}{_request(route):46}{_served_by(route):24}{_counted(answers[route.id])}")
    print(f"\nAll {len(table)} routes work without the monolith; nothing is missing.")


def _request(route: Route) -> str:
    method = sorted(route.methods)[0].decode() if route.methods else "GET"
    return f"{method} {route.path}"


def _served_by(route: Route) -> str:
    if route.extracted is not None:
        return route.extracted.name
    if route.aggregate is not None:
        return f"{len(route.aggregate.calls)} calls"
    return f"queue {route.publish.queue}" if route.publish is not None else "nobody"


def _counted(statuses: Counter[int]) -> str:
    return ", ".join(f"{status} ×{number}" for status, number in sorted(statuses.items()))
