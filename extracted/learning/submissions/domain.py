"""Submissions as values, and what counts as a success (contract §6.4)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from extracted.learning.domain import Compat, Unexpected, ValueRefused

Json = Mapping[str, Any]
LANGUAGES: Final = ("NODE", "PYTHON", "JAVA", "RUST")
MOST_POINTS: Final = 2**31 - 1
"""The highest balance that its column holds."""
_SPACES: Final = "".join(map(chr, range(0x2000, 0x200B)))
_WHITE_SPACE: Final = f"\t\n\v\f\r \u00a0\u1680{_SPACES}\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript's trim removes."""


@dataclass(frozen=True, slots=True)
class CodeSubmission:
    """What a user sends for a component; `content_id` says whose reward the first success earns."""

    user_id: str
    content_id: str
    component_id: str
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """What was sent, and when: `at` in milliseconds since 1970, as text."""

    at: str
    language: str
    code: str

    def stored(self) -> dict[str, object]:
        """As the monolith stores it, in `lastAttempt` and `lastSuccess`."""
        return {"at": self.at, "data": {"language": self.language, "code": self.code}}


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """What is stored for a user and a component."""

    id: str
    last_attempt: Json | None
    last_success: Json | None


@dataclass(frozen=True, slots=True)
class ValidatorCase:
    """One validator: what the program reads, and the lines that it must print."""

    id: str
    stdin: Sequence[str]
    expected: Sequence[str]


@dataclass(frozen=True, slots=True)
class CodeResult:
    """What a run of the code came to."""

    stdout: str
    stderr: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """`validators`: (id, success) in the order of the component. None: the component has no such field."""

    success: bool
    validators: Sequence[tuple[str, bool]] | None = None


@dataclass(frozen=True, slots=True)
class RewardedContent:
    """`reward` as stored. `children`: ids of the root's direct children. None: it has no such field."""

    reward: object
    children: Collection[str] | None


def validators_of(component: Json) -> Sequence[Json] | None:
    """None: the component has no such field. Raises Unexpected for what is no list."""
    found = (component.get("data") or {}).get("validators")
    if found is not None and not isinstance(found, list):
        raise Unexpected("the component's validators are no list")
    return found


def case(validator: Json) -> ValidatorCase:
    """Raises Unexpected for a document that the monolith would not write; it fails there, too."""
    match validator:
        case {"id": str(id), "input": {"stdin": list(stdin)}, "expected": {"stdout": list(stdout)}}:
            if all(isinstance(line, str) for line in (*stdin, *stdout)):
                return ValidatorCase(id, stdin, stdout)
    raise Unexpected("a validator has no id, input or expected output")


def passes(result: CodeResult, expected: Sequence[str]) -> bool:
    """Each line ends with a newline, and equals the expected one but for white space around it."""
    *lines, _rest = result.stdout.split("\n")
    return not result.exit_code and [*map(_trimmed, lines)] == [*map(_trimmed, expected)]


def verdict(cases: Sequence[ValidatorCase], results: Sequence[CodeResult], compat: Compat) -> SubmissionResult:
    """No validators are a success in the monolith (fault F5), and none under `improved`."""
    passed = [(one.id, passes(result, one.expected)) for one, result in zip(cases, results, strict=True)]
    is_success = all(success for _, success in passed) and (bool(passed) or compat is Compat.STRICT)
    return SubmissionResult(is_success, passed)


def amount(content: RewardedContent, component_id: str) -> int:
    """The points for the first success. 0: the component is not a direct child of the content's root.

    Raises Unexpected for a root without children (C9), ValueRefused for points that their column does not take.
    """
    if content.children is None:
        raise Unexpected("the content's root has no components")
    if component_id not in content.children:
        return 0
    reward = content.reward
    if not isinstance(reward, int | float) or isinstance(reward, bool) or not 0 <= reward <= MOST_POINTS:
        raise ValueRefused("the content's reward is not a number of points")
    if reward != int(reward):
        raise ValueRefused("the points column takes whole numbers only")
    return int(reward)


def _trimmed(line: str) -> str:
    return line.strip(_WHITE_SPACE)
