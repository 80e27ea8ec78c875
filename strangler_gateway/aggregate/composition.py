"""The values and failures of all calls as one JSON document. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from strangler_gateway.table.json_path import value_at
from strangler_gateway.table.rules.aggregate import VALUES, Pieces, Reference


@dataclass(slots=True)
class CallResult:
    """What a call brought in the end. `mark`: what the client is told of its failure; empty if it has none."""

    value: object
    mark: dict[str, object] = field(default_factory=dict)
    succeeded: bool = True


def composed(answer: Pieces, results: Mapping[str, CallResult]) -> str:
    """The document. Raises ValueError where a value is no JSON."""
    return "".join(piece if isinstance(piece, str) else _text(piece, results) for piece in answer)


def _text(reference: Reference, results: Mapping[str, CallResult]) -> str:
    if reference.path is not None:
        return _dumped(value_at(results[reference.name].value, reference.path))
    if reference.name == VALUES:
        return _dumped({name: result.value for name, result in results.items()})
    return _dumped({name: result.mark for name, result in results.items() if result.mark})


def _dumped(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
