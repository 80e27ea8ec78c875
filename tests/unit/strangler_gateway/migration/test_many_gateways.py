"""Several gateways, whatever fails: a rollback stays one, all agree in the end; and what each protection is for.

The random walks look for what nobody has thought of; the table gives each simpler design its counterexample, so that a
protection that is taken away is noticed (docs/decisions/many-gateways.md).
"""

import random
from collections.abc import Callable

import pytest

from strangler_gateway.cluster.record import holds
from strangler_gateway.table.position import LEGACY
from tests.support.effort import examples
from tests.support.gateway.many_simulated import CANARY, EXTRACTED, SKEW_S, WAY, Violated, World

WALKS, STEPS = 1200, 400


def _all_at(world: World, *steps: object) -> None:
    """All gateways go the way up together."""
    for to in steps:
        assert world.do(world.flip("a", to)) is not None  # type: ignore[arg-type]
        for name in world.machines:
            world.do(world.follow(name))
    assert {machine.process.position for machine in world.machines.values() if machine.process} == {steps[-1]}


def _rolled_back(world: World, name: str) -> None:
    for task in world.roll_back(name):
        world.do(task)


def a_rollback_and_a_flip_that_did_not_know_of_it(world: World) -> None:
    """N1, N5"""
    _all_at(world, CANARY)
    world.machines["a"].cut = True
    _rolled_back(world, "a")
    world.do(world.flip("b", EXTRACTED))
    world.machines["a"].cut = False
    world.do(world.follow("a"))
    world.do(world.release("a"))
    world.do(world.follow("b"))


def a_rollback_that_only_the_journal_has(world: World) -> None:
    """N2"""
    _all_at(world, CANARY)
    world.machines["a"].cut = True
    _rolled_back(world, "a")
    world.crash("a")
    world.machines["a"].cut = False
    world.do(world.start("a"))


def a_backup_from_before_the_hold(world: World) -> None:
    """N2b, N12"""
    _all_at(world, CANARY)
    world.back_up()
    _rolled_back(world, "a")
    world.restore()
    world.agree()


def a_released_number_of_another_run(world: World) -> None:
    """N3"""
    _all_at(world, CANARY)
    world.machines["b"].cut = True
    _rolled_back(world, "a")
    world.do(world.release("a"))
    _rolled_back(world, "b")
    world.machines["b"].cut = False
    world.do(world.follow("b"))
    world.do(world.follow("a"))
    _flip_at_a(world)


def a_released_number_of_a_lost_disk(world: World) -> None:
    """N4"""
    _all_at(world, CANARY)
    _rolled_back(world, "a")
    world.do(world.follow("b"))
    world.do(world.release("b"))
    world.lose_disk("a")
    world.machines["a"].cut = True
    world.do(world.start("a"))
    _rolled_back(world, "a")
    world.machines["a"].cut = False
    world.do(world.follow("a"))
    _flip_at_a(world)


def _flip_at_a(world: World) -> None:
    for _ in range(2):
        for name in world.machines:
            world.do(world.follow(name))
    world.do(world.flip("a", CANARY))
    for name in world.machines:
        world.do(world.follow(name))


def decisions_of_a_wiped_store(world: World) -> None:
    """N6"""
    _all_at(world, CANARY, EXTRACTED)
    world.crash("a")
    world.lose_disk("b")
    world.wipe()
    world.forget("a")
    world.do(world.start("b"))
    world.now += 100
    world.do(world.flip("b", CANARY))
    world.do(world.start("a"))
    world.do(world.follow("a"))
    world.do(world.follow("b"))


def two_flips_before_the_other_reads(world: World) -> None:
    """N7, N8"""
    world.do(world.flip("a", CANARY))
    world.do(world.flip("a", EXTRACTED))


def a_back_flip_that_is_not_on_the_disk(world: World) -> None:
    """N13"""
    _all_at(world, CANARY)
    world.machines["b"].broken = True
    back = world.flip("a", LEGACY)
    assert back is not None
    for _ in range(200):
        if not back.done:
            world.step(back)
        world.do(world.follow("b"))
    world.drain()


def two_flips_at_once(world: World) -> None:
    """N14"""
    both = [world.flip("a", CANARY), world.flip("b", CANARY)]
    for _ in range(200):
        for task in both:
            if task is not None and not task.done:
                world.step(task)
    for name in world.machines:
        world.do(world.follow(name))
    world.check()


def a_hold_that_arrives_while_another_is_released(world: World) -> None:
    """N15"""
    _all_at(world, CANARY)
    _rolled_back(world, "a")
    world.do(world.follow("b"))
    releasing = world.release("b")
    _rolled_back(world, "a")
    world.do(releasing)
    _flip_at_a(world)


def an_index_of_a_wiped_store(world: World) -> None:
    """N17"""
    _all_at(world, CANARY)
    flipping = world.flip("a", EXTRACTED)
    assert flipping is not None
    while len(world.decisions) < 2:
        world.step(flipping)
    number = world.store.last
    world.wipe()
    world.do(world.follow("b"))
    _rolled_back(world, "b")
    world.store.last = number - 1
    assert world.store.content is not None
    world.store.write(world.store.content.record)
    world.lose_disk("b")
    world.do(flipping)
    world.do(world.start("b"))
    world.agree()


Script = Callable[[World], None]
DESIGNS: list[tuple[str, Script, str]] = [
    ("knows", a_rollback_and_a_flip_that_did_not_know_of_it, "S2"),
    ("join at restart", a_rollback_that_only_the_journal_has, "S1"),
    ("re-assertion", a_backup_from_before_the_hold, "S2"),
    ("a key per run", a_released_number_of_another_run, "S1"),
    ("run", a_released_number_of_a_lost_disk, "S1"),
    ("time in seq", decisions_of_a_wiped_store, "S6"),
    ("members are asked", two_flips_before_the_other_reads, "S3"),
    ("journal before report", a_back_flip_that_is_not_on_the_disk, "S3"),
    ("cas", two_flips_at_once, "S5"),
    ("names", a_hold_that_arrives_while_another_is_released, "S1"),
    ("id in the path", an_index_of_a_wiped_store, "S2"),
]


@pytest.mark.parametrize(("protection", "script", "told"), DESIGNS, ids=[name for name, _, _ in DESIGNS])
def test_each_protection_closes_its_counterexample(protection: str, script: Script, told: str) -> None:
    with World() as world:
        script(world)
    with World(without={protection}) as world, pytest.raises(Violated) as seen:
        script(world)
    assert str(seen.value).startswith(told)


def test_a_rollback_that_is_passed_on_is_released_once() -> None:
    """Scenario 3: C rolls back while it is cut off, and returns when A's hold is released."""
    world = World(("a", "b", "c"))
    _all_at(world, CANARY)
    world.machines["c"].cut = True
    [first, *_] = world.roll_back("c")
    world.drain()
    [name] = holds(first.process.memory)
    for other in ("a", "b"):
        for task in world.roll_back(other, name):
            world.do(task)
    for other in ("a", "b"):
        world.do(world.follow(other))
    world.do(world.release("a"))
    world.released.update(first.process.memory.files)
    world.machines["c"].cut = False
    world.agree()
    assert world.do(world.flip("a", CANARY)) is not None
    world.agree()
    assert {machine.process.position for machine in world.machines.values() if machine.process} == {CANARY}


def walk(seed: int, without: frozenset[str] = frozenset()) -> World:
    """Random people, random faults, random order of everything that waits."""
    chance = random.Random(seed)
    with World(("a", "b", "c")[: chance.choice((2, 2, 3))], without) as world:
        for machine in world.machines.values():
            machine.skew = chance.uniform(-SKEW_S, SKEW_S)
        for _ in range(STEPS):
            if world.tasks and chance.random() < 0.85:
                world.step(chance.choice(world.tasks))
            else:
                _something(chance, world)
            world.check()
        world.agree()
    return world


def _something(chance: random.Random, world: World) -> None:
    name = chance.choice(sorted(world.machines))
    machine = world.machines[name]
    if machine.process is None:
        world.start(name)
    elif (machine.cut or machine.broken) and chance.random() < 0.3:
        machine.cut = machine.broken = False
    else:
        chance.choices(*zip(*_ACTIONS, strict=True))[0](chance, world, name)


def _flip(chance: random.Random, world: World, name: str) -> None:
    process = world.machines[name].process
    here = WAY.index(process.position) if process else 0
    world.flip(name, WAY[min(here + 1, 2) if chance.random() < 0.8 else max(here - 1, 0)])


def _disturb(chance: random.Random, world: World, name: str) -> None:
    machine = world.machines[name]
    machine.cut, machine.broken = chance.choice(((True, False), (True, False), (False, True), (True, True)))


_ACTIONS: list[tuple[Callable[[random.Random, World, str], object], int]] = [
    (lambda chance, world, name: world.follow(name), 50),
    (_flip, 25),
    (lambda chance, world, name: world.roll_back(name), 4),
    (lambda chance, world, name: world.release(name), 8),
    (_disturb, 4),
    (lambda chance, world, name: world.crash(name), 3),
    (lambda chance, world, name: world.lose_disk(name), 1),
    (lambda chance, world, name: world.wipe(), 1),
    (lambda chance, world, name: world.back_up(), 2),
    (lambda chance, world, name: world.restore(), 1),
]


def test_whatever_fails_nothing_that_was_rolled_back_moves_forward_and_all_agree_in_the_end() -> None:
    done = [walk(seed) for seed in range(examples(WALKS))]
    assert sum(world.acknowledged for world in done) > len(done) / 2  # flips are not only refused
    assert sum(world.rollbacks for world in done) > len(done)


@pytest.mark.parametrize("protection", ["knows", "re-assertion", "members are asked", "cas", "join at restart"])
def test_the_walks_find_a_design_without_a_protection(protection: str) -> None:
    assert any(_violates(seed, protection) for seed in range(WALKS))


def _violates(seed: int, protection: str) -> bool:
    try:
        walk(seed, frozenset({protection}))
    except Violated:
        return True
    return False
