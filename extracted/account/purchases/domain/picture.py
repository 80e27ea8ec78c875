"""Draws the states of a purchase for docs/purchases.md: `python -m extracted.account.purchases.domain.picture`."""

from itertools import groupby

from extracted.account.purchases.domain.saga import OPEN, TRANSITIONS, PurchaseState, Transition


def picture() -> str:
    """A mermaid stateDiagram in the order of the table. Rows with the same ends and effects share an arrow."""
    return "\n".join(["stateDiagram-v2", *_edges(), *_ends()])


def _edges() -> list[str]:
    grouped = groupby(TRANSITIONS.items(), key=lambda row: (row[0][0], row[1]))
    return [_edge(state, step, [str(event) for (_, event), _ in rows]) for (state, step), rows in grouped]


def _edge(state: PurchaseState, step: Transition, events: list[str]) -> str:
    start = "[*]" if state is PurchaseState.ASKED else state
    done = f" / {', '.join(step.effects)}" if step.effects else ""
    return f"    {start} --> {step.next}: {', '.join(events)}{done}"


def _ends() -> list[str]:
    return [f"    {state} --> [*]" for state in PurchaseState if state is not PurchaseState.ASKED and state not in OPEN]


if __name__ == "__main__":
    print(picture())
