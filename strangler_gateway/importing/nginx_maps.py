"""The maps that `strangler export nginx` writes: which rule takes a request, where it goes, which path that gets."""

import re

from strangler_gateway.importing.found import FoundConfiguration, FoundEnd
from strangler_gateway.importing.nginx_blocks import Directive, named
from strangler_gateway.importing.paths import FoundPath, methods_of, of_regex

Ends = dict[str, list[tuple[str, float]]]
"""By rule: (origin, weight)."""
_KEY = re.compile(r"~\^(\[\^ \]\*|[^ ]*) (.*)\$")
_REPLACED = re.compile(r"~\^(r\d+) ([^ ]+) (.*)\$")
_PREFIX = "strangler-"


def read_maps(whole: list[Directive], splits: dict[str, Directive], found: FoundConfiguration) -> None:
    """Does nothing where there are none of these maps."""
    maps = {one.rest[1]: one.block or [] for one in named(whole, "map") if len(one.rest) == 2}
    rules = [one for one in maps.get("$strangler_rule", []) if one.name != "default"]
    ends = _ends(maps.get("$strangler_origin", []), splits)
    targets = {}
    for one in maps.get("$strangler_target", []):
        if (key := _REPLACED.fullmatch(one.name)) and one.rest:
            targets[key[1], re.sub(r"\\(.)", r"\1", key[2])] = one.rest[0]
    for one in rules:
        _read_rule(one, ends, targets, found)
    if rules:
        found.urls = {name.removeprefix(_PREFIX): urls for name, urls in found.urls.items()}


def _ends(origins: list[Directive], splits: dict[str, Directive]) -> Ends:
    ends: Ends = {}
    for one in origins:
        if one.name == "default" or not one.rest:
            continue
        split = splits.get(one.rest[0])
        ends[one.name] = _parts(split) if split is not None else [(one.rest[0], 100.0)]
    return ends


def _parts(split: Directive) -> list[tuple[str, float]]:
    parts = [(one.rest[0], one.name) for one in split.block or [] if one.rest]
    given = {origin: float(name[:-1]) for origin, name in parts if re.fullmatch(r"[0-9.]{1,9}%", name)}
    return [(origin, given.get(origin, 100.0 - sum(given.values()))) for origin, _ in parts]


def _read_rule(one: Directive, ends: Ends, targets: dict[tuple[str, str], str], found: FoundConfiguration) -> None:
    key, rule = _KEY.fullmatch(one.name), one.rest[0] if one.rest else ""
    path = of_regex(key[2]) if key else None
    if key is None or path is None:
        found.problem(one.line, "a path that no template of routes.yaml has: the route is left out")
        return
    if rule not in ends:
        found.problem(one.line, "a rule that nothing serves: the route is left out")
        return
    found.folds_case |= path.folds_case
    found.ignores_slash |= path.ignores_slash
    methods = None if key[1] == "[^ ]*" else methods_of(key[1])
    made = [
        FoundEnd(_name(origin), weight, _template(targets.get((rule, origin)), path)) for origin, weight in ends[rule]
    ]
    found.add(one.line, [(path.template, path.guesses)], methods, tuple(end for end in made if end.weight > 0))


def _name(origin: str) -> str:
    return origin.partition("://")[2].removeprefix(_PREFIX)


def _template(value: str | None, path: FoundPath) -> str | None:
    if value is None:
        return None
    shown = {name: f"{{{name}}}" for name in path.variables}
    if path.template.endswith("...}"):
        shown[path.variables[-1]] = f"{{{path.variables[-1]}...}}"
    places = {f"strangler_v{at}": shown[name] for at, name in enumerate(path.variables)}
    places |= {"strangler_v": path.template, "strangler_dollar": "$"}
    return re.sub(r"\$\{(\w+)\}", lambda found: places.get(found[1], ""), value)
