"""Finds secrets in the file, comments included. No message repeats what was found."""

import math
import re
from collections import Counter
from itertools import pairwise

from strangler_gateway.config.faults import Fault, Place, spell
from strangler_gateway.config.yaml.source import LocatedYaml

_SHAPES = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY")),
    ("a signed token (JWT)", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    ("a password in a URL", re.compile(r"[a-z]://[^\s/:@\"'{}]*:(?!\$\{[^}]*\}@)[^\s/@\"']+@")),
    ("a cloud access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b")),
    ("an access token", re.compile(r"\b(?:(?:gh[pousr]|github_pat)_\w{30,}|glpat-[\w-]{20,}|xox[a-s]-[\w-]{10,})")),
    ("an API key", re.compile(r"\b(?:[sr]k_(?:live|test)_\w{16,}|sk-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,})")),
)
_TELLING = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|token|api_?key|access_?key|private_?key|signing_?key|credentials?)$"
)
_RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-)?\}")
_WORDS = frozenset({"pass", "exchange"})
"""Of `credentials`, which says what becomes of a client's."""
_NOT_RANDOM = frozenset({"salt", "body", "path"})
"""Fields whose long texts are not secrets: a salt only spreads users, a body and a path are public."""
_TO_DO = (
    "remove it, give it by ${NAME} or in a file of its own, and replace it: everybody who could read this file knows it"
)


def secret_faults(text: str, source: LocatedYaml) -> list[Fault]:
    """Every place that seems to contain a secret. Places found are marked broken, so that nothing else quotes them."""
    found: dict[tuple[Place, int], Fault] = {}
    covered: set[int] = set()
    for place, node in source.scalars:
        line, end_line = node.start_mark.line + 1, node.end_mark.line + 1
        what = secret_in(node.value)
        if what:
            source.broken.add(place)
            covered.update(range(line, end_line + 1))
        what = f"contains {what}" if what else _suspect(place, node.value)
        if what:
            source.hide(place, {node.value: "…"})
            found[place, line] = Fault(line, spell(place), f"{what}; {_TO_DO}")
    lines = enumerate(text.splitlines(), start=1)
    comments = ((number, what) for number, line in lines if number not in covered and (what := secret_in(line)))
    return [*found.values(), *(Fault(number, "", f"contains {what}; {_TO_DO}") for number, what in comments)]


def secret_in(text: str) -> str | None:
    """The kind of secret that the text contains, by its shape ("a private key"); None: no known kind."""
    return next((what for what, shape in _SHAPES if shape.search(text)), None)


def is_name(text: str) -> bool:
    """Whether the text can be a name in the file: it does not look like a secret."""
    return secret_in(text) is None and _suspect((), text) is None


def _suspect(place: Place, text: str) -> str | None:
    literal = _REFERENCE.sub("", text)
    name = next((step for step in reversed(place) if isinstance(step, str)), "")
    if literal and literal not in _WORDS and _TELLING.search(re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", name).lower()):
        return "seems to contain a secret, by its name"
    if name not in _NOT_RANDOM and any(_is_random(found[0]) for found in _RANDOM.finditer(literal)):
        return "contains a long random text, as keys and tokens are"
    return None


def _is_random(text: str) -> bool:
    """Unlike random text, names consist of words: they repeat letters and seldom change the kind of character."""
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        return _bits(text) >= 3.0 and not text.isdecimal()
    kinds = ["0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else "-" for c in text]
    changes = sum(a != b for a, b in pairwise(kinds))
    return {"a", "A", "0"} <= set(kinds) and changes >= 0.4 * len(text)


def _bits(text: str) -> float:
    """Shannon entropy per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
