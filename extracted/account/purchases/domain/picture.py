"""Prints the states of a purchase as a mermaid picture: `python -m extracted.account.purchases.domain.picture`."""

from itertools import groupby

from extracted.account.purchases.domain.saga import OPEN, STEPS, State, Step


def picture() -> str:
    """A stateDiagram; edges in the order of the table, those with the same ends and effects on one arrow."""
    return "\n".join(["stateDiagram-v2", *_edges(), *_ends()])


def _edges() -> list[str]:
    grouped = groupby(STEPS.items(), key=lambda row: (row[0][0], row[1]))
    return [_edge(state, step, [str(event) for (_, event), _ in rows]) for (state, step), rows in grouped]


def _edge(state: State, step: Step, events: list[str]) -> str:
    start = "[*]" if state is State.ASKED else state
    done = f" / {', '.join(step.effects)}" if step.effects else ""
    return f"    {start} --> {step.next}: {', '.join(events)}{done}"


def _ends() -> list[str]:
    return [f"    {state} --> [*]" for state in State if state is not State.ASKED and state not in OPEN]


if __name__ == "__main__":
    print(picture())
