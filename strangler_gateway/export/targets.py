"""One call for all targets: the text for a target, which begins with what the target cannot do for this table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from strangler_gateway.export import consul, envoy, httproute, nginx
from strangler_gateway.export.rewrites import left_with_gateway
from strangler_gateway.export.rules import ExportOptions, ExportRefused, ForwardRule, rules
from strangler_gateway.export.rules import services as services_of
from strangler_gateway.export.unexpressed import Unexpressed, unexpressed
from strangler_gateway.table.routes import RouteTable, Service


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """`documents`: the same as JSON-able values, where the target reads any."""

    target: str
    text: str
    missing: tuple[Unexpressed, ...]
    documents: Sequence[Any] = ()


def export(target: str, table: RouteTable, options: ExportOptions) -> ExportedTable:
    """The table as it stands. Raises ExportRefused."""
    to = _TARGETS[target]
    found = tuple(left_with_gateway(rule, options, to.acts) for rule in rules(table, options))
    if not to.by_name:
        _check_addresses(services_of(found).values())
    missing = (*unexpressed(table, options), *_left(found, options), *to.differs(found))
    text, documents = to.make(table, found, options)
    return ExportedTable(target, f"{_head(target, table, missing)}{text}", missing, documents)


def _left(found: Iterable[ForwardRule], options: ExportOptions) -> Iterable[Unexpressed]:
    ends = [(rule.route.id, end.service) for rule in found for end in rule.ends]
    if left := tuple(name for name, service in ends if service is options.gateway):
        yield Unexpressed("needs_gateway", "the gateway of --gateway has to go on serving these routes", left)


def report_lines(target: str, table: RouteTable, missing: Iterable[Unexpressed]) -> list[str]:
    """The list of what the target cannot do."""
    return [f"{target} cannot do this of table {table.digest}:", *(f"- {one}" for one in missing)]


def _head(target: str, table: RouteTable, missing: Iterable[Unexpressed]) -> str:
    lines = ["Written by `strangler export`.", *report_lines(target, table, missing)]
    return "".join(f"# {_on_one_line(line)}\n" for line in lines) + "\n"


def _on_one_line(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _check_addresses(used: Iterable[Service]) -> None:
    for service in used:
        if service.discover is not None:
            raise ExportRefused(
                f"the instances of {service.name} are discovered ({service.discover}), and the target has to be told "
                f"where they are: --address {service.name}=http://HOST:PORT"
            )


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice, instead of referring to it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml(documents: Sequence[object]) -> str:
    """One document after the other."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


Made = tuple[str, Sequence[object]]
Maker = Callable[[RouteTable, tuple[ForwardRule, ...], ExportOptions], Made]


def _envoy(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> Made:
    documents = [envoy.bootstrap(table, found, options)]
    return as_yaml(documents), documents


def _nginx(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> Made:
    return nginx.configuration(table, found, options), ()


def _httproute(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> Made:
    documents = httproute.documents(table, found, options)
    return as_yaml(documents), documents


def _consul(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> Made:
    documents = consul.entries(table, found, options)
    return consul.agent_configuration(documents), documents


def _anything(_rule: ForwardRule) -> None:
    """It can act on every rule."""


@dataclass(frozen=True, slots=True)
class _Target:
    """`acts` raises PathNotReplaced for a rule that it cannot act on. `by_name`: it finds services by their names."""

    make: Maker
    differs: Callable[[tuple[ForwardRule, ...]], Iterable[Unexpressed]]
    acts: Callable[[ForwardRule], None] = _anything
    by_name: bool = False


_TARGETS: Mapping[str, _Target] = {
    "httproute": _Target(_httproute, httproute.differs, httproute.acts, by_name=True),
    "envoy": _Target(_envoy, envoy.differs),
    "nginx": _Target(_nginx, nginx.differs),
    "consul": _Target(_consul, consul.differs, consul.acts, by_name=True),
}
