"""Reads the topology file: exchanges, queues, and who may use them. The same file serves every broker."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import yaml

from chassis.error_reason import reason

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,99}")
_MESSAGE_TYPE = re.compile(r"[a-z][a-z0-9_.]*\.v[1-9][0-9]*")
_LIMITS = ("max_length", "delivery_limit")
_QUEUE_FIELDS = ("owner", "exchange", "types", *_LIMITS)


class TopologyInvalid(Exception):
    """The file cannot be used. The message has one line per fault."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Durable, bounded, replicated; bound to each of `types` in the direct exchange `exchange`."""

    name: str
    owner: str
    exchange: str
    types: tuple[str, ...]
    max_length: int = 10_000
    delivery_limit: int = 20

    @property
    def dead(self) -> str:
        """The queue of its dead letters."""
        return f"{self.name}.dead"


@dataclass(frozen=True, slots=True)
class Topology:
    """`writers`: exchange → the deployables that may publish there."""

    writers: dict[str, tuple[str, ...]]
    queues: tuple[Queue, ...]

    def owned_by(self, owner: str) -> "Topology":
        """One deployable's queues, and the exchanges that they are bound to."""
        return self.only(*(queue.name for queue in self.queues if queue.owner == owner))

    def only(self, *names: str) -> "Topology":
        """Some queues, and the exchanges that they are bound to."""
        queues = tuple(queue for queue in self.queues if queue.name in names)
        used = {queue.exchange for queue in queues}
        return Topology({name: who for name, who in self.writers.items() if name in used}, queues)


def load(path: Path) -> Topology:
    """Raises TopologyInvalid with all faults."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyInvalid(f"{path} cannot be read: {reason(error)}.") from error
    except yaml.YAMLError as error:
        raise TopologyInvalid(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    return parse(document)


def parse(document: object) -> Topology:
    """`document`: the parsed YAML. Raises TopologyInvalid with all faults."""
    faults = list(_document_faults(document))
    if faults:
        raise TopologyInvalid("\n".join(faults))
    assert isinstance(document, dict)  # checked above
    writers = {name: tuple(exchange["writers"]) for name, exchange in document["exchanges"].items()}
    queues = (Queue(name, **{**queue, "types": tuple(queue["types"])}) for name, queue in document["queues"].items())
    return Topology(writers, tuple(queues))


def _document_faults(document: object) -> Iterable[str]:
    if not _is_mapping(document, ("exchanges", "queues")):
        yield "The file must be a mapping with exactly `exchanges` and `queues`."
        return
    exchanges, queues = document["exchanges"], document["queues"]
    if not isinstance(exchanges, dict) or not isinstance(queues, dict):
        yield "`exchanges` and `queues` must be mappings from a name."
        return
    for name, exchange in exchanges.items():
        yield from _exchange_faults(name, exchange)
    for name, queue in queues.items():
        yield from _queue_faults(name, queue, exchanges)


def _exchange_faults(name: object, exchange: object) -> Iterable[str]:
    yield from _name_faults("Exchange", name)
    if not _is_mapping(exchange, ("writers",)) or not _are_texts(exchange["writers"], _NAME):
        yield f"Exchange {name}: it must have `writers`, a list of at least one deployable, and nothing else."


def _queue_faults(name: object, queue: object, exchanges: Mapping[object, object]) -> Iterable[str]:
    yield from _name_faults("Queue", name)
    if name in exchanges:  # a broker's permissions do not distinguish the two
        yield f"Queue {name}: an exchange has the same name, so its writers could bind the queue; rename one of them."
    if not isinstance(queue, dict):
        yield f"Queue {name}: it must be a mapping with owner, exchange and types."
        return
    if unknown := set(map(str, queue)) - set(_QUEUE_FIELDS):
        yield f"Queue {name}: {', '.join(sorted(unknown))} is unknown; known are {', '.join(_QUEUE_FIELDS)}."
    if not _are_texts([queue.get("owner")], _NAME):
        yield f"Queue {name}: `owner` must name one deployable."
    if queue.get("exchange") not in exchanges:
        yield f"Queue {name}: its exchange {queue.get('exchange')} is not among `exchanges`."
    if not _are_texts(queue.get("types"), _MESSAGE_TYPE):
        yield f"Queue {name}: `types` must be a list of at least one message type (name.vN), without duplicates."
    for limit in _LIMITS:
        if not _is_positive(queue.get(limit, 1)):
            yield f"Queue {name}: `{limit}` must be a whole number of at least 1."


def _name_faults(kind: str, name: object) -> Iterable[str]:
    if not _are_texts([name], _NAME):
        yield f"{kind} {name}: a name has lower-case letters, digits, dot, dash and underscore, at most 100."
    if str(name).endswith(".dead"):
        yield f"{kind} {name}: the ending .dead is reserved for dead letters; choose another name."


def _is_mapping(value: object, keys: tuple[str, ...]) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and set(value) == set(keys)


def _are_texts(value: object, pattern: re.Pattern[str]) -> bool:
    texts = value if isinstance(value, list) else []
    fitting = [text for text in texts if isinstance(text, str) and pattern.fullmatch(text)]
    return bool(texts) and len(fitting) == len(texts) == len(set(fitting))


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
