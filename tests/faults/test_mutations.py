"""The table of mutations fits the code. If you change a line that a mutation replaces, change the table too."""

import pytest

from tests.faults.mutation_table import MUTATIONS, Mutation
from tests.faults.mutations import ROOT, patched


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_exactly_one_place_and_names_a_test_that_is_there(mutation: Mutation) -> None:
    assert patched(mutation, ROOT) != (ROOT / mutation.file).read_text(encoding="utf-8")
    file, _, name = mutation.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
