"""Sends the requests of a recording to a server, step by step, and compares the answers with the recorded ones."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from strangler_gateway.recording.client import NoAnswer, ReplayAnswer, ReplayClient
from strangler_gateway.recording.ids import resource_of
from strangler_gateway.recording.scrub import ORIGIN
from strangler_gateway.recording.secrets import PSEUDONYM
from strangler_gateway.recording.step import CREDENTIALS, Pairs, RecordedStep
from strangler_gateway.recording.step_values import answered_values, expected_body, request_body, sent_values
from strangler_gateway.recording.values import ReplayValues, varying
from strangler_gateway.shadow.comparison import Rules, Seen, compare
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.table.routes import ShadowRules

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = (*ShadowRules().headers, "allow", "access-control-allow-origin", "set-cookie", "www-authenticate")
"""Fields that are compared: those of shadow, and others that matter to a client."""
StepOutcome = Literal["same", "different", "skipped"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step. `reason`: of a skipped step; in `differences` the recorded side is `legacy`."""

    step: RecordedStep
    outcome: StepOutcome
    differences: tuple[Difference, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay. A credential in `fields` goes with steps that had one, other fields with every step."""

    fields: Pairs = field(default=(), repr=False)
    ignore: tuple[str, ...] = ()
    """JSON paths (`$.data.id`) and `header NAME`."""
    values: Pairs = field(default=(), repr=False)
    """Recorded values and those of this run, known from the start."""
    unsafe: bool = False
    timeout_s: float = 10.0
    within_s: float = 600.0


class Replay:
    """One conversation with one server. Raises httpx.InvalidURL."""

    def __init__(
        self,
        steps: Sequence[RecordedStep],
        against: str,
        options: ReplayOptions,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._steps = steps
        self._options = options
        self._clock = clock
        self._client = ReplayClient(against, options.timeout_s, transport)
        self._first_sent = _first_sent(steps)
        self._values = ReplayValues(self._first_sent)
        self._seen: set[str] = set()
        """Values of steps that were sent."""
        self._withheld: set[str] = set()
        """Values that the answers of skipped steps would have brought."""
        self._rules = _rules(options.ignore)
        for recorded, own in options.values:
            self._values.bind(recorded, own)

    def results(self) -> Iterator[StepResult]:
        """Step by step. Raises NoAnswer if the first step that is sent gets no answer."""
        ends_at, first = self._clock() + self._options.within_s, True
        with self._client:
            for index, step in enumerate(self._steps):
                self._values.now, self._values.resource = index, resource_of(step.target)
                reason = self._why_not(step) if self._clock() < ends_at else "no time was left"
                if reason:
                    self._withheld |= set(self._introduced(step)) - self._seen
                    yield StepResult(step, "skipped", reason=reason)
                    continue
                yield self._play(step, first)
                first = False

    def _why_not(self, step: RecordedStep) -> str:
        if step.method not in SAFE and not self._options.unsafe:
            return "not safe"
        known = {name.lower() for name, _ in self._options.fields}
        needed = {value for name, value in step.fields if not (name.lower() in CREDENTIALS and name.lower() in known)}
        used = set(sent_values(step, credentials=False)).union(*map(varying, (*needed, step.target, step.body)))
        if any(value in self._withheld and not self._values.bound(value) for value in used):
            return "needs the answer of a skipped step"
        if step.status != 401 and self._lacks_credential(step, known):
            return "needs a credential that the recording does not hold"
        return ""

    def _lacks_credential(self, step: RecordedStep, known: set[str]) -> bool:
        """Whether no answer has brought the credential behind the pseudonym; --header or --setup can.

        A recorded 401 may be about a bad credential, and a pseudonym is one; a 403 is about a good one.
        """
        own = (value for name, value in step.fields if name.lower() in CREDENTIALS and not known & CREDENTIALS)
        return any(not self._values.bound(name[0]) for value in own for name in PSEUDONYM.finditer(value))

    def _play(self, step: RecordedStep, first: bool) -> StepResult:
        fields = [*self._fields(step), *self._given(step)]
        target = self._values.target(step.target)
        try:
            answer = self._client.send(step.method, target, fields, request_body(step, self._values))
        except NoAnswer as exc:
            if first:
                raise
            return StepResult(step, "different", (Difference("answer", str(step.status), str(exc)),))
        differences = self._differences(step, answer)
        self._seen |= varying(step.target + step.body + answer.body).union(answered_values(step, answer.body))
        self._withheld -= self._seen
        return StepResult(step, "different" if differences else "same", differences)

    def _introduced(self, step: RecordedStep) -> Iterator[str]:
        """Values of the recorded answer that have a known form, or that a later request is the first to send."""
        for name, value in step.answer_fields:
            if name.lower() != "etag":
                yield from varying(value)
        yield from varying(step.answer)
        answered = answered_values(step, step.answer)
        yield from (value for value in answered if self._first_sent.get(value, -1) > self._values.now)

    def _fields(self, step: RecordedStep) -> Iterator[tuple[str, str]]:
        replaced = {name.lower() for name, _ in self._options.fields}
        if replaced & CREDENTIALS:
            replaced |= CREDENTIALS
        return ((name, self._values.field(value)) for name, value in step.fields if name.lower() not in replaced)

    def _given(self, step: RecordedStep) -> Iterator[tuple[str, str]]:
        return (pair for pair in self._options.fields if step.has_credential or pair[0].lower() not in CREDENTIALS)

    def _differences(self, step: RecordedStep, answer: ReplayAnswer) -> tuple[Difference, ...]:
        received = Seen(answer.status, answer.fields, answer.body.encode())
        body = expected_body(step.answer, answer.body, self._values)
        fields = list(self._expected_fields(step, answer))
        if step.method == "HEAD" or step.flags & {"text", "loose"}:
            body = answer.body if bool(body) == bool(answer.body) or step.method == "HEAD" else body
            fields, received = _without_tag(fields), Seen(received.status, _without_tag(answer.fields), received.body)
        return compare(Seen(step.status, fields, body.encode()), received, self._rules)

    def _expected_fields(self, step: RecordedStep, answer: ReplayAnswer) -> Iterator[tuple[bytes, bytes]]:
        """The recorded fields as they have to be now; fields of one name are compared in their order."""
        left = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.fields]
        for name, value in step.answer_fields:
            recorded = value.replace(ORIGIN, self._client.origin)
            at = next((i for i, (other, _) in enumerate(left) if other == name.lower()), None)
            own = self._values.own(recorded) if at is None else self._expected(name.lower(), recorded, left.pop(at)[1])
            if name.lower() == "etag" and step.answer and step.answer == answer.body:
                own = recorded  # the same bytes: the copy in a client's cache has to stay valid
            yield name.encode("latin-1", "replace"), own.encode("latin-1", "replace")

    def _expected(self, name: str, recorded: str, received: str) -> str:
        return (self._values.expected_target if name == "location" else self._values.expected)(recorded, received)


def _rules(ignore: tuple[str, ...]) -> Rules:
    """Raises ValueError for a path that cannot be parsed."""
    without = {place.removeprefix("header ").strip().lower() for place in ignore if place.startswith("header ")}
    paths = tuple(place for place in ignore if not place.startswith("header "))
    names = tuple(name for name in HEADERS if name not in without)
    return Rules(ShadowRules(ignore=paths, headers=names, show_values=True))


def _first_sent(steps: Sequence[RecordedStep]) -> dict[str, int]:
    first: dict[str, int] = {}
    for index, step in enumerate(steps):
        for value in sent_values(step):
            if value:
                first.setdefault(value, index)
    return first


def _without_tag(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in fields if pair[0].lower() != b"etag"]
