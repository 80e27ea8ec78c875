"""Which boxes the steps of a job have made ahead of time."""

import pytest

from tests.unit.extracted.runner.served import Served


async def test_the_command_of_an_interpreter_is_expected_again(runner: Served) -> None:
    await runner.job("echo", runs=2)
    assert [one.argv for one in runner.sandbox.expected] == [("main.txt",)] * 2


@pytest.mark.parametrize(("source", "runs"), [("echo", 1), ("wrong", 0), ("killed", 0), ("nothing", 0)])
async def test_a_program_is_expected_while_it_is_compiled_and_its_compiler_again(
    runner: Served, source: str, runs: int
) -> None:
    answer = (await runner.job(source, "RUST")).json()
    assert (answer["compile"]["status"] == "ok") == bool(runs)
    programs = [one.argv[0] for one in runner.sandbox.expected if one.argv[0] != "compiler"]
    assert programs == [one.argv[0] for one in runner.sandbox.commands if one.argv[0] != "compiler"]
    assert (len(programs), len(runner.sandbox.expected)) == (runs, runs + 1)
