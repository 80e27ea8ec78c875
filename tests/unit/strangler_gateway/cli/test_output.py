"""Tables on stdout."""

import pytest

from strangler_gateway.cli import output

CELLS = ["", "a", "7", "legacy → shadow", "a  b", "[red]", "end ", "two\nlines", "größer", "漢字", "\x1b[2J", "y" * 60]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("columns", [1, 5])
def test_a_table_in_a_pipe_looks_as_rich_draws_it(
    cell: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"column {n}" for n in range(columns)]
    rows = [[cell, *"bcde"][:columns], ["z", cell, cell, cell, cell][:columns], ["long" * 9, *"1234"][:columns]]

    def shown() -> str:
        output.show_table(names, rows, frozenset(names[2:4]))
        return capsys.readouterr().out

    in_a_pipe = shown()
    monkeypatch.setenv("TTY_COMPATIBLE", "0")  # rich draws, for no terminal
    assert in_a_pipe == shown()
